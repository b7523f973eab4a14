import io
import re
from types import SimpleNamespace

import pytest

from auglocal_mm.demo import console as console_module
from auglocal_mm.demo.console import Console, clock
from auglocal_mm.jobs import Progress


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


def test_a_terminal_shows_the_newest_view_only(now):
    stream = Terminal()
    console = Console([600], stream=stream)
    console.begin('Work')
    for now.seconds in (1, 2, 3):
        console.watch([job('BP', progress=Progress(epoch=2, fraction=0.0), epochs=2),
                       job('AugLocal')])
    assert screen(stream.getvalue())[1:] == [
        '      BP               ' + '━' * 12 + '╌' * 12 + '  epoch 2/2 0 %',
        '      AugLocal         ' + '╌' * 24 + '  running',
        '      0:03 elapsed, about 9:57 to go',
    ]
    console.end()
    assert screen(stream.getvalue())[1:] == ['      done in 0:03']


def screen(written: str) -> list[str]:
    """What a terminal shows after all that was written."""
    lines = ['']
    for part in re.split(r'(\x1b\[1A\x1b\[2K|\n)', written):
        if part == '\n':
            lines.append('')
        elif part.startswith('\x1b'):
            assert lines.pop() == ''
            lines[-1] = ''
        else:
            lines[-1] += part
    return lines[:-1]


def test_counts_down_between_log_lines(now):
    console = Console([600], stream=io.StringIO())
    console.begin('Work')
    jobs = [job('BP', progress=Progress(eta=100.0)), job('AugLocal', progress=Progress(eta=70.0))]
    assert console._countdown(jobs, now=5) == 100
    assert console._countdown(jobs, now=25) == 80
    assert console._countdown([job('BP', seconds=3, progress=Progress(eta=9.0))], now=30) is None


def test_of_a_pair_both_are_shown_of_a_longer_list_what_runs(now):
    stream = io.StringIO()
    console = Console([600], stream=stream)
    pair = [job('BP', seconds=3.0, progress=Progress(metric='top-1 97.2')), job('AugLocal')]
    console.watch(pair)
    now.seconds = 30
    console.watch([*pair, job('test', seconds=1.0)])
    assert stream.getvalue().splitlines() == [
        '      0:00 elapsed, about 10:00 to go  |  BP: done · top-1 97.2  |  AugLocal: running',
        '      0:30 elapsed, about 9:30 to go, 2 done  |  AugLocal: running',
    ]
