"""The console says what is running, how far it has come, and when all will be done."""
import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from screens import Screen, Terminal

from auglocal_mm.console.live import LiveLines
from auglocal_mm.lab.jobs import Progress
from auglocal_mm.lab.runs.console import Console, Pace


def run(name, *, cost=1.0, seconds=0.0):
    row = SimpleNamespace(name=name, label=name, cost=cost)
    return SimpleNamespace(row=row, folder=Path(name), seconds=seconds, label=f'{name} · seed 0',
                           measured=lambda: {'accuracy/top1': 91.25},
                           seconds_of=lambda step: seconds)


def active(name, *, fraction, elapsed, cost=1.0, before=0.0):
    job = SimpleNamespace(elapsed=elapsed, progress=lambda: Progress(
        epoch=1, fraction=fraction, loss=0.5))
    return SimpleNamespace(run=run(name, cost=cost, seconds=before), job=job,
                           step=SimpleNamespace(name='train', epochs=2))


def execution(*, running=(), waiting=(), finished=(), failures=()):
    return SimpleNamespace(active=dict(enumerate(running)), waiting=list(waiting),
                           finished=list(finished), failures=list(failures))


def test_nothing_is_promised_before_anything_is_known():
    assert Pace().remaining(execution(waiting=[run('a')])) is None


def test_what_is_left_follows_cost_and_progress():
    pace = Pace()
    half = active('a', fraction=1.0, elapsed=100)  # 1 of 2 epochs in 100 s: 200 s in all
    pace.learn(half)
    assert pace.seconds_per_cost == 200
    assert pace.remaining(execution(running=[half])) == pytest.approx(100)
    waiting = [run('b', cost=2.0)]
    assert pace.remaining(execution(running=[half], waiting=waiting)) == pytest.approx(500)


def test_two_slots_share_what_waits_but_not_the_longest_run():
    pace = Pace([run('before', seconds=60.0)])
    slow = active('slow', fraction=0.1, elapsed=50)    # 1,000 s in all
    quick = active('quick', fraction=1.0, elapsed=50)  # 100 s in all
    for each in (slow, quick):
        pace.learn(each)
    assert pace.remaining(execution(running=[slow, quick])) == pytest.approx(950)


def test_an_earlier_attempt_counts():
    pace = Pace()
    resumed = active('a', fraction=1.0, elapsed=10, before=90)  # 1 of 2 epochs in 100 s
    pace.learn(resumed)
    assert pace.seconds_per_cost == pytest.approx(200)
    assert pace.remaining(execution(running=[resumed])) == pytest.approx(100)


def test_plain_output_names_runs_failures_and_the_end():
    stream = io.StringIO()
    console = Console(LiveLines(stream), done_before=[run('z', seconds=30.0)], total=3)
    failure = SimpleNamespace(run=run('c'), reason='ended with exit status 1', log=Path('c/log'))
    console.watch(execution(running=[active('a', fraction=0.5, elapsed=10)]))
    console.watch(execution(finished=[run('a', seconds=130.0)], failures=[failure]))
    text = stream.getvalue()
    assert 'a · seed 0: epoch 1/2 50 % · loss 0.5' in text
    assert '2 of 3 runs done' in text
    assert 'to go, until' in text
    assert 'a · seed 0: done in 2 min · accuracy/top1 91.25' in text
    assert 'c · seed 0: ended with exit status 1; its output is in c/log' in text
    assert '\x1b' not in text


def test_no_end_is_told_when_the_estimate_has_passed():
    stream = io.StringIO()
    console = Console(LiveLines(stream), done_before=[run('z', seconds=30.0)], total=2)
    console.watch(execution(running=[active('a', fraction=0.0, elapsed=40)]))
    assert stream.getvalue().rstrip().endswith('· almost done')


def test_a_terminal_gets_a_live_view(monkeypatch):
    monkeypatch.setenv('COLUMNS', '100')
    monkeypatch.setenv('TERM', 'xterm')
    stream = Terminal()
    with LiveLines(stream, terminal_seconds=0.0) as text:
        console = Console(text, done_before=[], total=2)
        for fraction in (0.2, 0.5):
            console.watch(execution(running=[active('a', fraction=fraction, elapsed=10)]))
        live = Screen(stream.getvalue()).lines
        console.watch(execution(finished=[run('a', seconds=130.0)],
                                running=[active('b', fraction=0.5, elapsed=10)]))
        later = Screen(stream.getvalue()).lines
    assert live[0] == 'a · seed 0: epoch 1/2 50 % · loss 0.5'
    assert live[1].startswith('1 of 2 runs done · 0 s so far · about 30 s to go, until ')
    assert later[:2] == ['a · seed 0: done in 2 min · accuracy/top1 91.25',
                         'b · seed 0: epoch 1/2 50 % · loss 0.5']
    assert (len(live), len(later)) == (2, 3)
    assert Screen(stream.getvalue()).lines == later[:1]
