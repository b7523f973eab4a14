import io
from types import SimpleNamespace

import pytest

from auglocal_mm.demo import console as console_module
from auglocal_mm.demo.console import Console, clock, describe
from auglocal_mm.demo.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def job(label, *, progress=None, seconds=None, epochs=None):
    return SimpleNamespace(job=SimpleNamespace(name=label, label=label, epochs=epochs),
                           seconds=seconds, progress=lambda: progress or Progress())


@pytest.fixture
def now(monkeypatch):
    """A clock that only the test moves."""
    time = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(console_module.time, 'monotonic', lambda: time.seconds)
    return time


@pytest.mark.parametrize(('seconds', 'text'), [(0, '0:00'), (59.6, '1:00'), (187, '3:07'),
                                               (3725, '62:05'), (-3, '0:00')])
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_steps_are_counted_and_timed(now):
    stream = io.StringIO()
    console = Console([60, 60], stream=stream)
    console.begin('First')
    now.seconds = 30
    console.end('it went well')
    console.begin('Second')
    assert stream.getvalue().splitlines() == [
        '[1/2] First   (0:00 elapsed, about 2:00 to go)',
        '      done in 0:30 · it went well',
        '[2/2] Second   (0:30 elapsed, about 0:50 to go)',
    ]


def test_plain_output_has_a_line_now_and_then(now):
    stream = io.StringIO()
    console = Console([600], stream=stream)
    console.begin('Work')
    for now.seconds in range(61):
        console.watch([job('BP', progress=Progress(epoch=1, fraction=0.5), epochs=4)])
    lines = stream.getvalue().splitlines()[1:]
    assert len(lines) == 3
    assert lines[0].endswith('BP: epoch 1/4 50 %')
    assert '\r' not in stream.getvalue()


def test_a_terminal_has_one_line_that_is_erased(now):
    stream = Terminal()
    console = Console([600], stream=stream)
    console.begin('Work')
    for now.seconds in (1, 2, 3):
        console.watch([job('BP')])
    console.end()
    last = stream.getvalue().rsplit('\r\x1b[2K', 1)
    assert last[1] == '      done in 0:03\n'
    assert stream.getvalue().count('\n') == 2


def test_counts_down_between_log_lines(now):
    console = Console([600], stream=io.StringIO())
    console.begin('Work')
    jobs = [job('BP', progress=Progress(eta=100.0)), job('AugLocal', progress=Progress(eta=70.0))]
    assert console._countdown(jobs, now=5) == 100
    assert console._countdown(jobs, now=25) == 80
    assert console._countdown([job('BP', seconds=3, progress=Progress(eta=9.0))], now=30) is None


def test_describes_pairs_fully_and_lists_by_what_runs():
    pair = [job('BP', seconds=3.0), job('AugLocal')]
    assert describe(pair) == 'BP: done  |  AugLocal: running'
    assert describe([*pair, job('test', seconds=1.0)]) == '2 done  |  AugLocal: running'
