"""From an exception to the line that a user reads and the status that a script sees."""
from __future__ import annotations

import re
from dataclasses import dataclass

from auglocal_mm.validation.errors import UserError

from .building import about_keys, builders, place
from .files import describe_content, describe_system_error, system_error
from .frames import PACKAGE, chain, frames, module_of, raised_by_us, statement
from .layers import is_of_shapes, layer_of
from .line import one_line
from .peers import describe_peers, is_of_peers, is_timeout
from .runs import keep_traceback

#: Exit statuses: a fault of the user's input, and anything else.
USERS, UNEXPECTED = 2, 1
#: Modules whose functions turn a config into objects.
_BUILDING = tuple(f'{PACKAGE}.{name}' for name in (
    'engine.launch', 'engine.options', 'engine.image_folder', 'lab.measure.complexity',
    'lab.measure.counted_plan', 'datasets.check', 'datasets.provision', 'checkpoints'))
#: Functions of these modules that run what was built.
_RUNNING = ('mmengine.runner.loops',)
#: Packages that only lab/ imports; setup.py's extra of that name brings them.
_OF_LAB = ('jinja2', 'markupsafe', 'matplotlib', 'sklearn', 'tabulate')
_OUT_OF_MEMORY = re.compile(r"can't allocate memory|out of memory|Cannot allocate memory",
                            re.IGNORECASE)


@dataclass(frozen=True)
class Fault:
    """What a tool tells of an exception.

    Attributes:
        status: Exit status: 2 for a fault of the user's input, 1 otherwise.
        line: The message, one line.
        kind: ``'own'``; ``'timeout'`` or ``'consequence'`` if another rank is the reason;
            ``'interruption'``.
    """

    status: int
    line: str
    kind: str = 'own'


def describe(error: BaseException) -> Fault:
    """Return what to tell of an exception; its traceback goes to the run's log file."""
    log = keep_traceback(error)
    if is_of_peers(error):
        kind = 'timeout' if is_timeout(error) else 'consequence'
        return Fault(UNEXPECTED, one_line(describe_peers(error)), kind)
    told = _told_by_us(error)
    if told is not None:
        return Fault(USERS, one_line(_text(told) + _in(error)))
    text = _out_of_memory(error)
    if text:
        return Fault(UNEXPECTED, one_line(f'{text}{_where_more_is(log)}'))
    text = describe_content(error)
    if text:
        return Fault(USERS, one_line(text))
    fault = system_error(error)
    if fault is not None:
        return Fault(USERS, one_line(describe_system_error(fault, error) + _in(error)))
    if isinstance(error, ImportError):
        return Fault(USERS, one_line(_missing_package(error)))
    if builders(error) or _is_building(error):
        where = place(error)
        said = about_keys(error) or _named(error)
        return Fault(USERS, one_line(f'{where}: {said}' if where else f'the config: {said}'))
    layer = layer_of(error)
    where = f' (in {layer})' if layer else ''
    if layer and is_of_shapes(error):
        return Fault(USERS, one_line(
            f'{layer} does not fit what it is given: {_named(error)}; compare its settings, such '
            f'as in_channels, with the layer before it{_where_more_is(log)}'))
    if layer == 'model.data_preprocessor':
        return Fault(USERS, one_line(
            f'{layer} cannot use what the data set gives: {_named(error)}; end its pipeline with '
            f'PackInputs or PackDetInputs{_where_more_is(log)}'))
    return Fault(UNEXPECTED, one_line(f'{_named(error)}{where}{_where_more_is(log)}'))


def _in(error: BaseException) -> str:
    where = place(error) if builders(error) else ''
    return f' (in {where})' if where else ''


def _told_by_us(error: BaseException) -> BaseException | None:
    """Return the outermost exception of a chain that we raised on purpose, if it still counts."""
    for each in chain(error):
        ours = raised_by_us(each) or isinstance(each, UserError)
        if ours and (each is error or str(each) in str(error) or each in _causes(error)):
            return each
    return None


def _causes(error: BaseException) -> list[BaseException]:
    found = []
    while error.__cause__ is not None and error.__cause__ not in found:
        error = error.__cause__
        found.append(error)
    return found


def _is_building(error: BaseException) -> bool:
    modules = [module_of(frame) for frame in frames(error)]
    return not any(name.startswith(_RUNNING) for name in modules) and any(
        name.startswith(_BUILDING) for name in modules)


def _text(error: BaseException) -> str:
    # KeyError shows the repr of its message.
    whole = error.args[0] if isinstance(error, KeyError) and error.args else error
    return str(whole).strip()


def _named(error: BaseException) -> str:
    """Return an exception's type and message; of one from a worker, its last line."""
    kind, text = type(error).__name__, _text(error)
    if 'Original Traceback' in text:  # torch passes an error of a data loader's worker on.
        text = text.splitlines()[-1]
    # mmengine before 0.10 puts its own words before what it re-raises.
    text = re.sub(r'^class `\w+` in \S+: ', '', text)
    if not text:
        text = f'at `{statement(error)}`'
    return text if text.startswith(kind) else f'{kind}: {text}'


def _out_of_memory(error: BaseException) -> str:
    if not (isinstance(error, MemoryError) or type(error).__name__ == 'OutOfMemoryError'
            or (isinstance(error, RuntimeError) and _OUT_OF_MEMORY.search(str(error)))):
        return ''
    where = place(error)
    first = _named(error).partition('\n')[0]
    return (f'out of memory{f" while building {where}" if where else ""}; lower the batch size or '
            f'the size of the network ({first})')


def _missing_package(error: ImportError) -> str:
    name = error.name if isinstance(error, ModuleNotFoundError) else None
    text = _text(error)
    if name and name.split('.')[0] in _OF_LAB and 'pip install' not in text:
        return f"{text}; it comes with the extra `lab`: pip install 'auglocal_mm[lab]'"
    if name and 'pip install' not in text and name.split('.')[0] != PACKAGE:
        return f'{text}; install the package that provides it, or leave out what needs it'
    return text or 'a package is missing'


def _where_more_is(log: str | None) -> str:
    return f' (the traceback is in {log})' if log else ' (--debug shows the traceback)'
