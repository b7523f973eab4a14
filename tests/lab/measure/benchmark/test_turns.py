"""Workers step in turns; one that fails leaves the others alone."""
import pytest

from auglocal_mm.lab.measure.benchmark.turns import Turns
from auglocal_mm.lab.measure.benchmark.worker import WorkerFailed


class Recorder:
    """A worker that writes down what it does; its clock is the common list's length."""

    def __init__(self, name, events, fails_at=None):
        self.name, self.events, self.fails_at = name, events, fails_at

    def _do(self, what):
        self.events.append((self.name, what))
        if self.events.count((self.name, what)) == (self.fails_at or {}).get(what):
            raise WorkerFailed('it broke')

    def wait_until_ready(self):
        self._do('ready')

    def step(self):
        self._do('step')
        return float(len(self.events))

    def begin(self):
        self._do('begin')

    def measure(self):
        self._do('measure')
        return {'steps': self.events.count((self.name, 'step'))}


def events_of(do):
    return [(name, do) for name in 'abc']


def test_every_round_gives_each_one_step_in_order():
    events = []
    turns = Turns([Recorder(name, events) for name in 'abc'], lambda line: None)
    outcomes = turns.measure(warmup=2, rounds=3)
    assert events == [
        *events_of('ready'), *events_of('step') * 2, *events_of('begin'),
        *events_of('step') * 3, *events_of('measure')]
    # Only steps after the warm-up count, each in its own round.
    first = 3 + 2 * 3 + 3
    assert {name: outcome.step_seconds for name, outcome in outcomes.items()} == {
        name: [first + place + 3 * number for number in range(3)]
        for place, name in enumerate('abc', start=1)}
    assert all(outcome.measured == {'steps': 5} for outcome in outcomes.values())
    assert all(outcome.error is None for outcome in outcomes.values())


@pytest.mark.parametrize(('what', 'time'), [('ready', 1), ('step', 1), ('step', 3), ('begin', 1),
                                            ('measure', 1)])
def test_a_failure_takes_no_other_with_it(what, time):
    events, said = [], []
    workers = [Recorder('a', events), Recorder('b', events, {what: time}), Recorder('c', events)]
    outcomes = Turns(workers, said.append).measure(warmup=1, rounds=4)
    assert outcomes['b'].error == 'it broke'
    assert 'b drops out: it broke' in said
    assert events.count(('b', what)) == time
    assert events[events.index(('b', what)):].count(('b', 'measure')) == (what == 'measure')
    for name in 'ac':
        assert len(outcomes[name].step_seconds) == 4 and outcomes[name].error is None
        assert outcomes[name].measured == {'steps': 5}
