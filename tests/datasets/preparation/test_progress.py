"""The line of a download: it renews itself on a terminal, and is rare in a log."""
import io

import pytest
from screens import Screen, Terminal

from auglocal_mm.console import live
from auglocal_mm.datasets.preparation import progress as module
from auglocal_mm.datasets.preparation.progress import Progress


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv('COLUMNS', '80')
    monkeypatch.setenv('TERM', 'xterm')


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now
    clock = Clock()
    monkeypatch.setattr(module, 'time', clock)
    monkeypatch.setattr(live, 'time', clock)
    return clock


def transfer(progress, clock, *, start=0, end=100):
    """Yield after each tenth of 100 MB, one a second."""
    with progress.transfer(start):
        for done_mb in range(start // 10**6 + 10, end + 1, 10):
            clock.now += 1
            progress.update('a.mat', done_mb * 10**6, 100 * 10**6)
            yield done_mb


def test_a_terminal_shows_one_line_that_stays_when_all_has_come(clock):
    stream = Terminal()
    for done_mb in transfer(Progress(stream), clock):
        left = f', {10 - done_mb // 10} s left' if done_mb < 100 else ''
        assert Screen(stream.getvalue()).lines == [
            f'a.mat: {done_mb} % of 100.0 MB, 10.0 MB/s{left}']
    screen = Screen(stream.getvalue())
    assert screen.lines == ['a.mat: 100 % of 100.0 MB, 10.0 MB/s']
    assert screen.cursor


def test_a_broken_transfer_leaves_the_screen_to_what_is_said_next(clock):
    stream = Terminal()
    progress = Progress(stream)
    progress.say('downloading')
    with pytest.raises(OSError), progress.transfer(0):
        clock.now += 1
        progress.update('a.mat', 1, 100)
        raise OSError
    progress.say('trying again')
    screen = Screen(stream.getvalue())
    assert screen.lines == ['downloading', 'trying again']
    assert screen.cursor


def test_a_log_gets_a_line_now_and_then_and_the_last_one(clock):
    stream = io.StringIO()
    list(transfer(Progress(stream), clock))
    assert stream.getvalue().splitlines() == ['a.mat: 100 % of 100.0 MB, 10.0 MB/s']
    clock.now += 10
    stream.truncate(stream.seek(0))
    progress = Progress(stream)
    with progress.transfer(0):
        for second in range(1, 32):
            clock.now += 1
            progress.update('a.mat', second * 10**6, 100 * 10**6)
    assert stream.getvalue().splitlines() == [
        'a.mat: 15 % of 100.0 MB, 1.0 MB/s, 1 min 25 s left',
        'a.mat: 30 % of 100.0 MB, 1.0 MB/s, 1 min 10 s left']


def test_the_rate_counts_what_came_now(clock):
    stream = Terminal()
    for _ in transfer(Progress(stream), clock, start=80 * 10**6, end=90):
        assert Screen(stream.getvalue()).lines == [
            'a.mat: 90 % of 100.0 MB, 10.0 MB/s, 1 s left']


@pytest.mark.parametrize(('rate', 'left'), [(0, 'unknown time'), (1, '1 min 39 s')])
def test_time_left_in_words(clock, rate, left):
    stream = Terminal()
    progress = Progress(stream)
    with progress.transfer(0):
        clock.now += 1
        progress.update('a', rate, 100)
    assert f'{left} left' in stream.getvalue()
