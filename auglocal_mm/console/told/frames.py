"""What the frames of a traceback tell: who raised, what was built, which run it was."""
from __future__ import annotations

import dis
import linecache
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

PACKAGE = 'auglocal_mm'
_RAISE = dis.opmap['RAISE_VARARGS']


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception, then what it was raised from or during, outermost first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        # `raise … from None` hides what came before on purpose.
        hidden = current.__suppress_context__
        current = current.__cause__ or (None if hidden else current.__context__)


def traces(error: BaseException) -> list[TracebackType]:
    """Return the entries of an exception's traceback, outermost first."""
    found, entry = [], error.__traceback__
    while entry is not None:
        found.append(entry)
        entry = entry.tb_next
    return found


def frames(error: BaseException) -> list[FrameType]:
    """Return the frames of a whole chain of exceptions, innermost exception first."""
    return [entry.tb_frame for each in reversed(list(chain(error))) for entry in traces(each)]


def module_of(frame: FrameType) -> str:
    """Return the name of the module that a frame runs."""
    return str(frame.f_globals.get('__name__', ''))


def raised_by_us(error: BaseException) -> bool:
    """Tell whether a ``raise`` statement of this package raised it, on purpose therefore."""
    entries = traces(error)
    if not entries:
        return False
    last = entries[-1]
    ours = module_of(last.tb_frame).split('.')[0] == PACKAGE
    return ours and last.tb_frame.f_code.co_code[last.tb_lasti] == _RAISE


def statement(error: BaseException) -> str:
    """Return the source line that raised, for errors without a message."""
    entries = traces(error)
    if not entries:
        return ''
    last = entries[-1]
    return linecache.getline(last.tb_frame.f_code.co_filename, last.tb_lineno).strip()


def local(error: BaseException, name: str, kind: type | tuple[type, ...]) -> Any:
    """Return the innermost local variable of a name and type in the traceback, or None."""
    for frame in reversed(frames(error)):
        value = frame.f_locals.get(name)
        if isinstance(value, kind):
            return value
    return None
