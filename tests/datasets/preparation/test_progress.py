"""The line of a download: it renews itself on a terminal, and is rare in a log."""
import io

import pytest

from auglocal_mm.datasets.preparation import progress as module
from auglocal_mm.datasets.preparation.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now
    clock = Clock()
    monkeypatch.setattr(module, 'time', clock)
    return clock


def transfer(progress, clock, *, start=0):
    progress.start(start)
    for done_mb in range(start // 10**6 + 10, 101, 10):
        clock.now += 1
        progress.update('a.mat', done_mb * 10**6, 100 * 10**6)


def test_a_terminal_shows_one_line_that_ends_when_all_has_come(clock):
    stream = Terminal()
    transfer(Progress(stream), clock)
    shown = stream.getvalue().split('\r\x1b[K')
    assert shown[1] == 'a.mat: 10 % of 100.0 MB, 10.0 MB/s, 9 s left'
    assert shown[-1] == 'a.mat: 100 % of 100.0 MB, 10.0 MB/s\n'
    assert stream.getvalue().count('\n') == 1


def test_a_message_begins_on_a_line_of_its_own(clock):
    stream = Terminal()
    progress = Progress(stream)
    progress.start(0)
    clock.now += 1
    progress.update('a.mat', 1, 100)
    progress.say('trying again')
    assert stream.getvalue().endswith(' left\ntrying again\n')


def test_a_log_gets_a_line_now_and_then_and_the_last_one(clock):
    stream = io.StringIO()
    transfer(Progress(stream), clock)
    assert stream.getvalue().splitlines() == ['a.mat: 100 % of 100.0 MB, 10.0 MB/s']


def test_the_rate_counts_what_came_now(clock):
    stream = Terminal()
    transfer(Progress(stream), clock, start=80 * 10**6)
    assert '90 % of 100.0 MB, 10.0 MB/s, 1 s left' in stream.getvalue()


@pytest.mark.parametrize(('rate', 'left'), [(0, 'unknown time'), (1, '1 min 39 s')])
def test_time_left_in_words(clock, rate, left):
    stream = Terminal()
    progress = Progress(stream)
    progress.start(0)
    clock.now += 1
    progress.update('a', rate, 100)
    assert f'{left} left' in stream.getvalue()
