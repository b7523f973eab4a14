"""Unpacks the wanted files of a tar archive, and nothing else."""
from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from auglocal_mm.datasets.errors import DataError
from auglocal_mm.files import put_in_place

from .checksum import damage_of
from .source import DataFile
from .writing import writing


def unpack(archive: Path, folder: Path, files: Sequence[DataFile]) -> None:
    """Unpack `files` of a ``.tar.gz`` into a folder, all of them or none.

    The files are written to a hidden folder inside it, checked, and moved only when all
    are complete. Other members are skipped. Links and devices are never created, and no
    member can be written outside the folder. The caller holds the folder's lock.

    Raises:
        DataError: The archive is damaged or lacks a file; a member would leave the
            folder; a wanted member is not a plain file or has another checksum; a link
            is in the way; or the disk cannot be written to.
    """
    for file in files:
        _refuse_links(folder, file)
    with writing(folder):
        for left in folder.glob(f'.{archive.name}.unpacking-*'):  # of a process that was killed
            shutil.rmtree(left)
        # In the folder, so that moving the files is a rename on one file system.
        staging = Path(tempfile.mkdtemp(prefix=f'.{archive.name}.unpacking-', dir=folder))
    try:
        _unpack_into(archive, staging, {file.path: file for file in files})
        for file in files:
            damage = damage_of(staging / file.path, md5=file.md5, size_bytes=file.size_bytes)
            if damage is not None:
                raise DataError(f'{archive.absolute()}: {file.path} {damage}; remove the archive '
                                'and run this again')
        with writing(folder):
            for file in files:
                (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
                put_in_place(staging / file.path, folder / file.path)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _refuse_links(folder: Path, file: DataFile) -> None:
    """Refuse links in a file's path below the folder, because they would be followed."""
    place = folder
    for part in PurePosixPath(file.path).parts[:-1]:
        place = place / part
        if place.is_symlink():
            raise DataError(f'{place.absolute()} is a link; remove it, or link the folder above: '
                            f'{folder.absolute()}')


def _unpack_into(archive: Path, staging: Path, wanted: dict[str, DataFile]) -> None:
    missing = set(wanted)
    try:
        with tarfile.open(archive, 'r|gz') as tar:
            for member in tar:
                name = _safe_name(member, archive)
                if name not in wanted:
                    continue
                content = tar.extractfile(member) if member.isreg() else None
                if content is None or name not in missing:
                    raise DataError(f'{archive.absolute()}: {name} is not a plain file or '
                                    'occurs twice; nothing was unpacked')
                with writing(staging):
                    _copy(content, staging / name)
                missing.remove(name)
    except (tarfile.TarError, zlib.error, EOFError) as error:
        raise DataError(f'{archive.absolute()} is damaged ({error}); remove it and run this '
                        'again') from None
    if missing:
        raise DataError(f'{archive.absolute()} lacks {", ".join(sorted(missing))}')


def _safe_name(member: tarfile.TarInfo, archive: Path) -> str:
    """Return a member's path in plain form; raise if it leaves the folder."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or '..' in path.parts:
        raise DataError(f'{archive.absolute()} holds {member.name!r}, which leaves the folder; '
                        'nothing was unpacked')
    return str(path)


def _copy(content: IO[bytes], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Never over a file, nor through a link, that is already there.
    with path.open('xb') as file:
        shutil.copyfileobj(content, file, 2**20)
        file.flush()
        os.fsync(file.fileno())
