"""The folder of a data set that can be downloaded: checked, and filled."""
from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from auglocal_mm.datasets.errors import DataError

from .archive import unpack
from .checksum import damage_of
from .download import Patience, fetch
from .lock import locked
from .progress import Progress
from .report import DAMAGED, MISSING, PRESENT, Finding, Report
from .source import DataFile, Download, Source
from .writing import writing


def command(source: Source, root: str | os.PathLike[str]) -> str:
    """Return the command that fills a data set's folder."""
    usual = Path(root) == Path('data') / source.name
    return (f'tools/dataset_converters/prepare.py {source.name}'
            + ('' if usual else f' --root {Path(root).expanduser().absolute()}'))


def check(source: Source, root: str | os.PathLike[str], *, split: str | None = None) -> Report:
    """Compare the files in a folder with their checksums.

    Args:
        source: The data set.
        root: Its folder.
        split: Check only what this split needs; None checks everything.

    Raises:
        DataError: The folder cannot be read.
    """
    folder = Path(root).expanduser()
    findings = tuple(_look_at(file, folder) for file in source.files_of(split))
    return Report(source.title, folder, findings, command(source, root))


def _look_at(file: DataFile, folder: Path) -> Finding:
    path = folder / file.path
    try:
        damage = damage_of(path, md5=file.md5, size_bytes=file.size_bytes)
        if damage is not None:
            return Finding(file.path, DAMAGED, damage)
        return Finding(file.path, PRESENT, f'{path.stat().st_size:,} bytes, md5 correct')
    except (FileNotFoundError, NotADirectoryError):
        return Finding(file.path, MISSING)
    except OSError as error:
        raise DataError(f'cannot read {path.absolute()}: {error.strerror or error}') from error


def verify(source: Source, root: str | os.PathLike[str], *, split: str | None = None) -> None:
    """Refuse a folder that is incomplete or holds damaged files.

    Raises:
        DataError: Files are missing or damaged; the error lists all of them.
    """
    report = check(source, root, split=split)
    if not report.is_complete:
        raise DataError(str(report))


def prepare(source: Source, root: str | os.PathLike[str], *, progress: Progress | None = None,
            patience: Patience | None = None) -> Report:
    """Fill a folder with what it lacks, and report its content.

    Files with correct checksums are left alone; damaged files are replaced. If several
    processes call this at once, one downloads and the others wait.

    Raises:
        DataError: It failed; no incomplete file has a final name.
    """
    report = check(source, root)
    if report.is_complete:
        return report
    progress = progress or Progress()
    folder = Path(root).expanduser()
    with locked(folder, say=progress.say):
        # Again, because another process may have filled it in the meantime.
        report = check(source, root)
        present = {finding.path for finding in report.findings if finding.state == PRESENT}
        for finding in report.damaged:
            progress.say(f'{folder.absolute() / finding.path} {finding.detail}; it will be '
                         'replaced')
        for download in source.downloads:
            if any(file.path not in present for file in download.files):
                _supply(download, folder, progress=progress, patience=patience)
    report = check(source, root)
    if not report.is_complete:
        raise DataError(str(report))
    return report


def _supply(download: Download, folder: Path, *, progress: Progress,
            patience: Patience | None) -> None:
    """Download a file, and unpack it if it is an archive.

    An archive is deleted afterwards, unless it was there before.
    """
    was_there = (folder / download.name).exists()
    path = fetch(download, folder, progress=progress, patience=patience)
    if not download.is_archive:
        return
    progress.say(f'unpacking {path.absolute()}')
    unpack(path, folder, download.files)
    if not was_there:
        with writing(path):
            path.unlink()


def refuse_damaged(reports: Sequence[Report]) -> None:
    """Refuse files that have a known name but another checksum.

    Raises:
        DataError: There are some; the error lists all of them.
    """
    lines = [f'  {(report.folder / finding.path).absolute()} {finding.detail}\n'
             f'    how to get it: {report.advice}'
             for report in reports for finding in report.damaged]
    if lines:
        raise DataError('\n'.join(['data is damaged, or is not what its name says; it was not '
                                   'opened', *lines]))
