"""Where a thread stands, and what it may be waiting for there."""
from __future__ import annotations

import os
import sys
import sysconfig
from dataclasses import dataclass
from types import FrameType

from auglocal_mm.console.told.frames import module_of

OTHER_RANKS, NETWORK, PERSON = 'other ranks', 'the network', 'a person'
#: What modules wait for in whose functions a thread stands. DDP of torch waits for other ranks
#: inside of a backward pass, a CUDA device for a kernel that may exchange values.
_WAITS = {
    OTHER_RANKS: ('torch.distributed', 'torch.autograd', 'torch.cuda',
                  'auglocal_mm.execution.messages', 'auglocal_mm.execution.pipeline',
                  'auglocal_mm.execution.device_link', 'auglocal_mm.engine.rank_group',
                  'auglocal_mm.engine.distributed'),
    # A download that is slow, or a server that is: both may recover.
    NETWORK: ('socket', 'ssl', 'http', 'urllib', 'urllib3', 'requests'),
    PERSON: ('bdb', 'pdb', 'pydevd', 'debugpy'),
}
#: Waiting itself: whose it is, the frame outside of it tells.
_PLUMBING = ('threading', 'queue', 'concurrent.futures', 'contextlib')
_LIBRARIES = tuple(os.path.join(sysconfig.get_paths()[name], '')
                   for name in ('stdlib', 'platstdlib', 'purelib', 'platlib'))


@dataclass(frozen=True)
class Place:
    """Where a thread stands.

    Attributes:
        mark: Equal for equal instructions in all frames.
        where: The place, for a reader.
        waits: What it waits for there, if that is known; ``''`` otherwise.
    """

    mark: str
    where: str
    waits: str


def place_of(thread: int) -> Place:
    """Return where a thread of this process stands.

    Args:
        thread: Its identifier.
    """
    frame = sys._current_frames().get(thread)
    found = []
    while frame is not None:
        found.append(frame)
        frame = frame.f_back
    if not found:
        return Place('ended', 'at its end', '')
    mark = hash(tuple((id(each.f_code), each.f_lasti) for each in found))
    return Place(f'{mark:x}', _where(found), _waits(found))


def _waits(frames: list[FrameType]) -> str:
    modules = [module_of(each) for each in frames]
    # A person stops a program anywhere; others are asked for by the innermost call.
    if any(_is_of(name, _WAITS[PERSON]) for name in modules):
        return PERSON
    inner = next((name for name in modules if not _is_of(name, _PLUMBING)), '')
    return next((what for what, names in _WAITS.items() if _is_of(inner, names)), '')


def _is_of(module: str, names: tuple[str, ...]) -> bool:
    return any(module == name or module.startswith(f'{name}.') for name in names)


def _where(frames: list[FrameType]) -> str:
    """Name the innermost place, and the innermost one in code that is no library's."""
    inner = _named(frames[0])
    own = next((each for each in frames if not each.f_code.co_filename.startswith(
        (*_LIBRARIES, '<'))), frames[0])
    return inner if own is frames[0] else f'{inner}, called from {_named(own)}'


def _named(frame: FrameType) -> str:
    return (f'{frame.f_code.co_name} '
            f'({os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno})')
