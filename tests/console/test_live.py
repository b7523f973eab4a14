"""Live lines on a terminal, plain ones everywhere else."""
import io
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from screens import Screen, Terminal

from auglocal_mm.console.live import LiveLines, bar

#: All that rich would read as markup, an emoji, a number to colour, or a link.
MARKED = '[bold]not bold[/bold] :smile: 12.5 "text" https://example.org [/] \t| None True'


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """A terminal of 80 columns with 256 colours, whatever runs the tests."""
    for name in ('COLUMNS', 'LINES', 'NO_COLOR', 'FORCE_COLOR', 'TTY_COMPATIBLE'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('COLUMNS', '80')
    monkeypatch.setenv('TERM', 'xterm-256color')


@given(st.lists(st.text()))
def test_permanent_lines_are_written_as_they_are(lines):
    for stream in (io.StringIO(), Terminal()):
        with LiveLines(stream) as text:
            for line in [*lines, MARKED, 'x' * 500]:
                text.say(line)
        assert stream.getvalue() == ''.join(f'{line}\n' for line in [*lines, MARKED, 'x' * 500])


def test_a_terminal_shows_the_newest_lines_below_the_permanent_ones():
    stream = Terminal()
    with LiveLines(stream) as text:
        assert text.replaces
        text.say('first')
        text.show(['one', 'two', 'three'])
        text.show(['four', MARKED.replace('\t', ' ')])
        assert Screen(stream.getvalue()).lines == ['first', 'four', MARKED.replace('\t', ' ')]
        text.say('second')
        text.show(['five'], indent=2)
        shown = Screen(stream.getvalue())
        assert shown.lines == ['first', 'second', '  five']
        assert not shown.cursor
    left = Screen(stream.getvalue())
    assert left.lines == ['first', 'second']
    assert left.cursor


def test_the_cursor_comes_back_after_an_error():
    stream = Terminal()
    with pytest.raises(KeyboardInterrupt), LiveLines(stream) as text:
        text.show(['one'])
        raise KeyboardInterrupt
    assert Screen(stream.getvalue()).lines == []
    assert Screen(stream.getvalue()).cursor


@pytest.mark.parametrize('columns', [40, 79, 80, 200])
def test_no_shown_line_is_wrapped(monkeypatch, columns):
    monkeypatch.setenv('COLUMNS', str(columns))
    stream = Terminal()
    with LiveLines(stream) as text:
        text.show(['x' * 300, bar('label', 0.5, 'y' * 300)], indent=6)
        lines = Screen(stream.getvalue()).lines
    assert len(lines) == 2
    assert all(len(line) == columns and line.endswith('…') for line in lines)


@pytest.mark.parametrize(('share', 'drawn'), [(0.0, ' ' * 14), (0.5, '━' * 7 + ' ' * 7),
                                              (1.0, '━' * 14)])
def test_a_bar_without_colours_is_its_filled_part(monkeypatch, share, drawn):
    monkeypatch.setenv('NO_COLOR', '1')
    stream = Terminal()
    with LiveLines(stream) as text:
        text.show([bar('BP', share, 'epoch 1/2')])
        assert Screen(stream.getvalue()).lines == [f'{"BP":12} {drawn} epoch 1/2']


@pytest.mark.parametrize('share', [0.0, 0.5, 1.0])
def test_sixteen_colours_tell_full_from_empty(monkeypatch, share):
    monkeypatch.setenv('TERM', 'xterm')
    stream = Terminal()
    with LiveLines(stream) as text:
        text.show([bar('BP', share, '')])
        written = stream.getvalue()
    assert ('\x1b[90m' in written) == (share < 1)
    assert ('\x1b[36m' in written) == (0 < share < 1)
    assert ('\x1b[32m' in written) == (share == 1)


@pytest.mark.parametrize('variable', ['FORCE_COLOR', 'TTY_COMPATIBLE', 'TTY_INTERACTIVE'])
def test_a_pipe_gets_plain_lines_whatever_the_environment_asks_for(monkeypatch, variable):
    monkeypatch.setenv(variable, '1')
    text = LiveLines(io.StringIO())
    assert not text.replaces
    with pytest.raises(ValueError, match=r'only on a terminal; print them with say\(\)'):
        text.show(['one'])


@pytest.mark.parametrize('name', ['dumb', 'unknown'])
def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(monkeypatch, name):
    monkeypatch.setenv('TERM', name)
    assert not LiveLines(Terminal()).replaces


@pytest.mark.parametrize('terminal', [False, True])
def test_a_character_that_a_stream_lacks_becomes_a_question_mark(monkeypatch, terminal):
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding='ascii')
    monkeypatch.setattr(stream, 'isatty', lambda: terminal, raising=False)
    with LiveLines(stream) as text:
        text.say('50 % · done')
        if terminal:
            text.show([bar('BP', 0.5, '… · 3')])
    assert b'50 % ? done\n' in written.getvalue()
    assert (b'? ? 3' in written.getvalue()) == terminal


def test_rich_is_loaded_only_for_a_terminal(root):
    code = ('import sys; from auglocal_mm.console.live import LiveLines; LiveLines().say("a"); '
            'sys.exit("rich" in sys.modules)')
    done = subprocess.run([sys.executable, '-c', code], cwd=root, capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ('a\n', '', 0)
