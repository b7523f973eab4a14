"""Where a data set comes from, as data: what is downloaded, and the files in it."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataFile:
    """A file that a data set is read from.

    Attributes:
        path: Its path below the data set's folder, with ``/``.
        md5: Its checksum, 32 hexadecimal digits.
        split: The split that it belongs to; None if every split needs it.
        size_bytes: Its size, if known.
    """

    path: str
    md5: str
    split: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True)
class Download:
    """One file on a server: a data file, or an archive of data files.

    Attributes:
        url: Its address.
        md5: Its checksum, 32 hexadecimal digits.
        size_bytes: Its size.
        files: The data files in it; nothing else is unpacked.
        is_archive: Whether it is a ``.tar.gz`` of the data files.
    """

    url: str
    md5: str
    size_bytes: int
    files: tuple[DataFile, ...]
    is_archive: bool = False

    @property
    def name(self) -> str:
        """The name of the file, from the address."""
        return self.url.rpartition('/')[2]


@dataclass(frozen=True)
class Source:
    """All downloads of a data set.

    Attributes:
        name: Its name for ``prepare.py``; ``data/<name>`` is its usual folder.
        title: Its common name.
        downloads: What it is downloaded from.
    """

    name: str
    title: str
    downloads: tuple[Download, ...]

    @property
    def files(self) -> tuple[DataFile, ...]:
        """All data files."""
        return tuple(file for download in self.downloads for file in download.files)

    def files_of(self, split: str | None) -> tuple[DataFile, ...]:
        """Return the data files that are needed to read a split; all for None."""
        return tuple(file for file in self.files if split is None or file.split in (None, split))
