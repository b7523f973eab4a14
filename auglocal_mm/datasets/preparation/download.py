"""Downloads one file: an interrupted transfer continues, and the result is verified."""
from __future__ import annotations

import http.client
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auglocal_mm.datasets.errors import DataError
from auglocal_mm.files import put_in_place

from .checksum import damage_of
from .progress import Progress
from .source import Download
from .writing import writing

_CHUNK_BYTES = 2**18
_USER_AGENT = 'auglocal_mm'


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server.

    Attributes:
        timeout_seconds: Time without a byte after which a connection is given up.
        retries: Number of retries that gain no byte before the download is given up.
        wait_seconds: Pause before the first retry; it doubles with each.
    """

    timeout_seconds: float = 30.0
    retries: int = 4
    wait_seconds: float = 1.0


class _BrokenTransferError(Exception):
    """The server could not be reached, or closed too early."""


def partial_path(download: Download, folder: Path) -> Path:
    """Return the path of an incomplete download."""
    return folder / f'.{download.name}.partial'


def fetch(download: Download, folder: Path, *, progress: Progress,
          patience: Patience | None = None) -> Path:
    """Download a file into a folder, unless it is already there.

    An earlier transfer, by this process or another, is continued if the server allows
    it. The file gets its final name only after its checksum was verified.

    Returns:
        The file's path.

    Raises:
        DataError: The server cannot be reached or sends something else; the disk is
            full or cannot be written to.
    """
    target = folder / download.name
    if target.exists():
        damage = damage_of(target, md5=download.md5, size_bytes=download.size_bytes)
        if damage is None:
            return target
        # `prepare` has told it of damaged data files.
        if download.is_archive:
            progress.say(f'{target.absolute()} {damage}; it will be replaced')
    partial = partial_path(download, folder)
    _transfer_all(download, partial, progress=progress, patience=patience or Patience())
    damage = damage_of(partial, md5=download.md5, size_bytes=download.size_bytes)
    if damage is not None:
        partial.unlink()
        raise DataError(f'the file from {download.url} {damage}; it was removed. Run this again; '
                        f'if that does not help, put the correct file at {target.absolute()}')
    with writing(target):
        put_in_place(partial, target)
    return target


def _transfer_all(download: Download, partial: Path, *, progress: Progress,
                  patience: Patience) -> None:
    failures = 0
    while (have := _size(partial)) < download.size_bytes:
        progress.say(f'downloading {download.url}' + (f' from byte {have:,} on' if have else ''))
        _check_space(partial, download.size_bytes - have)
        try:
            _transfer(download, partial, have, progress=progress, patience=patience)
        except _BrokenTransferError as error:
            now = _size(partial)
            failures = 0 if now > have else failures + 1
            if failures > patience.retries:
                raise DataError(f'{download.url}: {error}; {now:,} of {download.size_bytes:,} '
                                'bytes are here. Run this again to continue, or put the file at '
                                f'{(partial.parent / download.name).absolute()} yourself') from None
            progress.say(f'{error}; trying again')
            time.sleep(patience.wait_seconds * 2 ** max(failures - 1, 0))


def _size(partial: Path) -> int:
    """Return the number of bytes that have arrived; a link is never followed."""
    if partial.is_symlink():
        raise DataError(f'{partial.absolute()} is a link; remove it')
    return partial.stat().st_size if partial.exists() else 0


def _check_space(partial: Path, needed_bytes: int) -> None:
    free_bytes = shutil.disk_usage(partial.parent).free
    if free_bytes < needed_bytes:
        raise DataError(f'{partial.parent.absolute()} has {free_bytes / 1e6:,.1f} MB free, but '
                        f'{needed_bytes / 1e6:,.1f} MB are still to come; free some space, or '
                        'choose another folder with --root')


def _transfer(download: Download, partial: Path, have: int, *, progress: Progress,
              patience: Patience) -> None:
    """Append the bytes of one connection."""
    request = urllib.request.Request(download.url, headers={
        'User-Agent': _USER_AGENT, **({'Range': f'bytes={have}-'} if have else {})})
    try:
        with urllib.request.urlopen(request, timeout=patience.timeout_seconds) as answer:
            start = _start_of(answer, have, download)
            if have and not start:
                progress.say('the server cannot continue a transfer; starting again')
            _append(answer, partial, start=start, download=download, progress=progress)
    except urllib.error.HTTPError as error:
        # What passes; the other answers would be the same next time.
        if error.code in (408, 429) or error.code >= 500:
            raise _BrokenTransferError(f'the server answered {error.code} {error.reason}') from None
        if error.code != 416:
            raise DataError(f'{download.url}: the server answered {error.code} {error.reason}; '
                            f'put the file at {(partial.parent / download.name).absolute()} '
                            'yourself') from None
        # 416: the bytes that are here are not the beginning of the server's file.
        partial.unlink()
        raise _BrokenTransferError('the server refused to continue the transfer') from None
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise _BrokenTransferError(str(getattr(error, 'reason', None) or error)) from None
    if _size(partial) < download.size_bytes:
        raise _BrokenTransferError('the server closed the connection too early')


def _start_of(answer: Any, have: int, download: Download) -> int:
    """Return the byte at which the answer starts: the requested one, or the first.

    Raises:
        DataError: The file on the server has an unexpected size.
    """
    if answer.status == 206:
        match = re.fullmatch(r'bytes (\d+)-\d+/(\d+|\*)', answer.headers.get('Content-Range', ''))
        start, total = (int(match[1]), match[2]) if match else (-1, '*')
        if start != have:
            raise _BrokenTransferError('the server continued at another position than requested')
    else:
        start, total = 0, answer.headers.get('Content-Length') or '*'
    if total != '*' and int(total) != download.size_bytes:
        raise DataError(f'{download.url} is {int(total):,} bytes long, expected '
                        f'{download.size_bytes:,}: it is another file, perhaps a page of a proxy')
    return start


def _append(answer: Any, partial: Path, *, start: int, download: Download,
            progress: Progress) -> None:
    """Write an answer's bytes from `start` on, never more than the expected size."""
    with writing(partial):
        # A link in its place would have another file overwritten.
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC,
                             0o666)
        # Unbuffered, so that a full disk is noticed at the write that meets it.
        file = os.fdopen(descriptor, 'wb', buffering=0)
    with file, progress.transfer(start):
        with writing(partial):
            file.truncate(start)
            file.seek(start)
        done = start
        while done < download.size_bytes and (chunk := answer.read(
                min(_CHUNK_BYTES, download.size_bytes - done))):
            with writing(partial):
                _write_all(file, chunk)
            done += len(chunk)
            progress.update(download.name, done, download.size_bytes)
        with writing(partial):
            os.fsync(file.fileno())


def _write_all(file: Any, chunk: bytes) -> None:
    """Write a whole chunk; an unbuffered file may accept only a part at once."""
    view = memoryview(chunk)
    while view:
        view = view[file.write(view):]
