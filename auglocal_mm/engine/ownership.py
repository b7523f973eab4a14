"""One training run owns a work_dir at a time."""
from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from pathlib import Path

import torch.distributed as dist

from auglocal_mm.checkpoints.errors import CheckpointError
from auglocal_mm.checkpoints.write import write_error

LOCK_NAME = '.owner.lock'
#: Where each launcher says which rank a process is.
_RANKS = {'pytorch': ('RANK',), 'slurm': ('SLURM_PROCID',),
          'mpi': ('OMPI_COMM_WORLD_RANK', 'PMI_RANK')}
#: What a file system without locks answers.
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
_held: dict[tuple[int, int], int] = {}


def own(work_dir: str | Path, *, launcher: str = 'none') -> None:
    """Make this process the owner of a folder of checkpoints and logs, until it ends.

    The operating system holds the lock. It is gone with the process, however that
    ends, and forked data loading workers do not keep it. Of several ranks only the
    first takes it. A process may take it more than once.

    Raises:
        CheckpointError: Another process has it, or the folder cannot be written to.
    """
    if _rank(launcher) != 0:
        return
    path = Path(work_dir) / LOCK_NAME
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A lock of POSIX is lost when any descriptor of its file is closed: keep the first.
        if path.exists() and _key(path) in _held:
            return
        # O_NOFOLLOW: the file is emptied below, and a link would have another one emptied.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            # Not flock, which data loading workers inherit: they outlive a killed run by seconds.
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EAGAIN):
                owner = os.read(descriptor, 200).decode(errors='replace').strip()
                os.close(descriptor)
                raise CheckpointError(
                    f'{path.parent.absolute()} belongs to {owner or "another process"}; wait for '
                    'it to end, or give another folder with --work-dir') from None
            if error.errno not in _NO_LOCKS:
                raise
        os.ftruncate(descriptor, 0)
        started = time.strftime('%Y-%m-%d %H:%M:%S')
        os.pwrite(descriptor, f'process {os.getpid()} on {socket.gethostname()}, which trains '
                              f'there since {started}\n'.encode(), 0)
    except OSError as error:
        raise write_error(path, error) from error
    _held[_key(path)] = descriptor


def _key(path: Path) -> tuple[int, int]:
    # Forked processes inherit this module, but not its locks.
    return (os.getpid(), path.stat().st_ino)


def _rank(launcher: str) -> int:
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank()
    names = _RANKS.get(launcher, ())
    return int(next((os.environ[name] for name in names if name in os.environ), '0'))
