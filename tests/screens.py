"""A stream that says it is a terminal, and what a screen shows of what was written to it."""
import io
import re

#: Cursor up, cleared line, shown or hidden cursor, colours: all that our displays may use.
_CONTROL = re.compile(r'\x1b\[(?:(?P<up>\d+)A|(?P<clear>2K)|\?25(?P<cursor>[hl])|[\d;]*m)')


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Screen:
    """Plays what was written; an unknown control sequence is an error.

    Attributes:
        lines: The lines that are on the screen, without spaces at their ends.
        cursor: Whether the cursor is visible.
    """

    def __init__(self, written: str) -> None:
        self._rows, self._row, self._column = [''], 0, 0
        self.cursor = True
        position = 0
        while position < len(written):
            control = _CONTROL.match(written, position)
            self._control(control) if control else self._put(written[position])
            position = control.end() if control else position + 1
        rows = [row.rstrip() for row in self._rows]
        while rows and not rows[-1]:
            rows.pop()
        self.lines = rows

    def _control(self, found: re.Match) -> None:
        if found['up']:
            assert int(found['up']) <= self._row, 'the cursor would leave what was written'
            self._row -= int(found['up'])
        elif found['clear']:
            self._rows[self._row] = ''
        elif found['cursor']:
            self.cursor = found['cursor'] == 'h'

    def _put(self, character: str) -> None:
        if character == '\r':
            self._column = 0
        elif character == '\n':
            self._row, self._column = self._row + 1, 0
            self._rows += [''] * (self._row + 1 - len(self._rows))
        else:
            assert character.isprintable(), repr(character)
            row = self._rows[self._row].ljust(self._column)
            self._rows[self._row] = row[:self._column] + character + row[self._column + 1:]
            self._column += 1
