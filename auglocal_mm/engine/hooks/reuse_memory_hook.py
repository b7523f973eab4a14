"""Has the C library keep the memory that a training step frees, for the next step."""
from __future__ import annotations

import ctypes
import logging

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from auglocal_mm.registry import HOOKS

#: Parameters of ``mallopt``, as glibc's ``malloc.h`` numbers them, and what they are set to.
_TRIM_THRESHOLD, _NEVER = -1, -1
_MMAP_MAX, _NO_MAPPINGS = -4, 0


@HOOKS.register_module()
class ReuseMemoryHook(Hook):
    """Keeps memory that a step on a CPU has freed, instead of returning it to the system.

    By default, glibc gives large blocks back as soon as they are free. The next step gets them
    page by page, each one filled with zeros at its first use. Local learning frees the
    activations of every module, so it pays for this in each of them. What is computed is the
    same. The process stays as large as it has ever been. Any config, or ``--cfg-options``, can
    ask for it::

        default_hooks = dict(reuse_memory=dict(type='auglocal_mm.ReuseMemoryHook'))

    It holds for the whole process, data loaders that it forks, and nothing on a GPU. Without
    glibc (musl, macOS, Windows) it says that it does nothing. Another allocator that is
    preloaded, such as jemalloc, keeps its own rules, which it may not notice.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Set up the C library, which nothing undoes."""
        if not reuse_memory():
            print_log('ReuseMemoryHook does nothing: this C library is not glibc', logger='current',
                      level=logging.WARNING)


def reuse_memory() -> bool:
    """Keep freed memory in this process; tell whether the C library could be asked to."""
    try:
        libc = ctypes.CDLL(None)
    except (OSError, TypeError):  # Windows has no library that stands for the whole process.
        return False
    # Others may have a mallopt whose parameters mean something else.
    mallopt = getattr(libc, 'mallopt', None) if hasattr(libc, 'gnu_get_libc_version') else None
    if mallopt is None:
        return False
    # A block with a mapping of its own would go back when it is freed, whatever is trimmed.
    return bool(mallopt(_TRIM_THRESHOLD, _NEVER) and mallopt(_MMAP_MAX, _NO_MAPPINGS))
