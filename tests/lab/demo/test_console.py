import io
from types import SimpleNamespace

import pytest
from screens import Screen, Terminal

from auglocal_mm.console.live import LiveLines
from auglocal_mm.lab.demo import console as console_module
from auglocal_mm.lab.demo.console import Console, clock
from auglocal_mm.lab.jobs import Progress


def job(label, *, progress=None, seconds=None, epochs=None):
    return SimpleNamespace(job=SimpleNamespace(name=label, label=label, epochs=epochs),
                           seconds=seconds, progress=lambda: progress or Progress())


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """A terminal of 80 columns, on which a bar is its filled part."""
    monkeypatch.setenv('COLUMNS', '80')
    monkeypatch.setenv('TERM', 'xterm')
    monkeypatch.setenv('NO_COLOR', '1')


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
    console = Console([60, 60], LiveLines(stream))
    console.begin('First')
    now.seconds = 30
    console.end('it went well')
    console.begin('Second')
    assert stream.getvalue().splitlines() == [
        '[1/2] First   (0:00 elapsed, about 2:00 left)',
        '      done in 0:30 · it went well',
        '[2/2] Second   (0:30 elapsed, about 0:40 left)',
    ]


def test_plain_output_has_a_line_now_and_then(now):
    stream = io.StringIO()
    console = Console([600], LiveLines(stream))
    console.begin('Work')
    for now.seconds in range(61):
        console.watch([job('BP', progress=Progress(epoch=1, fraction=0.5), epochs=4)])
    lines = stream.getvalue().splitlines()[1:]
    assert len(lines) == 3
    assert lines[0] == '      14 %, 0:20 elapsed, about 9:40 left  |  BP: epoch 1/4 50 %'
    assert '\r' not in stream.getvalue() and '\x1b' not in stream.getvalue()


def test_a_terminal_shows_the_newest_view_only(now):
    stream = Terminal()
    console = Console([600], LiveLines(stream))
    console.begin('Work')
    for now.seconds in (1, 2, 3):
        console.watch([job('BP', progress=Progress(epoch=2, fraction=0.0), epochs=2),
                       job('AugLocal')])
    assert Screen(stream.getvalue()).lines[1:] == [
        '      BP           ' + '━' * 7 + ' ' * 7 + ' epoch 2/2 0 %',
        '      AugLocal     ' + ' ' * 14 + ' running',
        '      Step 1 of 1  ' + ' ' * 14 + ' 0 % · 0:03 elapsed, about 9:57 left',
    ]
    console.end()
    assert Screen(stream.getvalue()).lines[1:] == ['      done in 0:03']


def test_the_longest_lines_fit_a_terminal_of_80_columns(now):
    stream = Terminal()
    console = Console([3600], LiveLines(stream))
    console.begin('Work')
    for now.seconds in (1, 3000):
        console.watch([job('AugLocal', epochs=16, progress=Progress(
            epoch=16, fraction=1.0, loss=0.0123, metric='top-1 98.9'))])
    lines = Screen(stream.getvalue()).lines[1:]
    assert '98.9' in lines[0] and 'left' in lines[1]
    assert not any(line.endswith('…') for line in lines)


def test_the_speed_of_the_slowest_job_sets_the_time_left(now):
    stream = io.StringIO()
    console = Console([8 + 100, 50], LiveLines(stream))
    console.begin('Work')
    for now.seconds in range(61):
        # A job that needs 200 s after 10 s of start-up where 100 s are usual, and a faster one.
        shares = {'BP': max(0, now.seconds - 10) / 150, 'AugLocal': max(0, now.seconds - 10) / 200}
        console.watch([job(label, progress=Progress(epoch=1, fraction=share), epochs=1)
                       for label, share in shares.items()])
    # 150 s of the step are left, and the next one takes twice its usual time.
    assert console.remaining() == pytest.approx(150 + 100, abs=10)
    assert ' 4:1' in stream.getvalue().splitlines()[-1]


def test_a_training_that_waits_counts_as_left(now):
    """Three trainings of 100 s on two cores: 200 s, of which the two that run know half."""
    stream = io.StringIO()
    console = Console([8 + 200, 50], LiveLines(stream))
    console.begin('Work')

    def watch(begins, waiting):
        shares = {each: min(1, max(0, now.seconds - begin) / 100) for each, begin in begins.items()}
        console.watch([job(name, progress=Progress(epoch=1, fraction=share), epochs=1,
                           seconds=100 if share == 1 else None)
                       for name, share in shares.items()], waiting)

    left = {}
    for now.seconds in range(101):
        watch({'A': 0, 'B': 0}, waiting=1)
        left[now.seconds] = console.remaining()
    for now.seconds in range(101, 181):
        watch({'A': 0, 'B': 0, 'C': 100}, waiting=0)
        left[now.seconds] = console.remaining()
    # Two run side by side and the last one alone, so a mean speed is not far off.
    assert left[60] == pytest.approx(140 + 50, abs=70)
    assert left[60] > 60 + 50  # more than the two need that run
    assert left[180] == pytest.approx(20 + 50, abs=30)
    assert len(console._forecast._jobs) == 1


def test_of_a_pair_both_are_shown_of_a_longer_list_what_runs(now):
    stream = io.StringIO()
    console = Console([600], LiveLines(stream))
    console.begin('Work')
    stream.truncate(stream.seek(0))
    console._text._shown = float('-inf')
    pair = [job('BP', seconds=3.0, progress=Progress(metric='top-1 97.2')), job('AugLocal')]
    console.watch(pair)
    now.seconds = 30
    console.watch([*pair, job('test', seconds=1.0)])
    assert stream.getvalue().splitlines() == [
        '      0 %, 0:00 elapsed, about 10:00 left  |  BP: done · top-1 97.2  |  AugLocal: running',
        '      1 %, 0:30 elapsed, about 9:30 left, 2 done  |  AugLocal: running',
    ]
