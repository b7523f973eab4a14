"""A server on the loopback address that can misbehave, and small data sets that it offers."""
from __future__ import annotations

import hashlib
import io
import re
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from auglocal_mm.datasets.preparation import DataFile, Download, Patience, Source

IMPATIENT = Patience(timeout_seconds=5, retries=2, wait_seconds=0.001)


class FileServer(ThreadingHTTPServer):
    """Serves `files`; `faults` are used up one a request, in order.

    A fault is a number of bytes, after which the connection drops, ``'no range'``
    (send all, whatever was asked), ``'other range'`` (continue at another byte), or a status
    to answer with, such as ``'503'``. `hold` stops every answer after its first half
    until it is set.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(('127.0.0.1', 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.faults: list[int | str] = []
        self.ranges: list[str | None] = []
        self.hold: threading.Event | None = None

    def url(self, name: str) -> str:
        return f'http://127.0.0.1:{self.server_address[1]}/{name}'


class _Handler(BaseHTTPRequestHandler):
    server: FileServer

    def log_message(self, *words) -> None:
        pass

    def do_GET(self) -> None:  # noqa: N802
        asked = self.headers.get('Range')
        self.server.ranges.append(asked)
        fault = self.server.faults.pop(0) if self.server.faults else None
        content = self.server.files.get(self.path[1:])
        if isinstance(fault, str) and fault.isdigit():
            self.send_error(int(fault))
        elif content is None:
            self.send_error(404)
        else:
            self._send(content, asked, fault)

    def _send(self, content: bytes, asked: str | None, fault: int | str | None) -> None:
        start = int(re.fullmatch(r'bytes=(\d+)-', asked)[1]) if asked else 0
        if fault == 'no range':
            start = 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header('Content-Length', str(len(content) - start))
        if start:
            first = start + 1 if fault == 'other range' else start
            self.send_header('Content-Range', f'bytes {first}-{len(content) - 1}/{len(content)}')
        self.end_headers()
        sent = content[start:]
        if isinstance(fault, int):
            self.wfile.write(sent[:fault])
            return
        if self.server.hold is not None:
            self.wfile.write(sent[:len(sent) // 2])
            self.wfile.flush()
            self.server.hold.wait(60)
            sent = sent[len(sent) // 2:]
        self.wfile.write(sent)


@contextmanager
def serving() -> Iterator[FileServer]:
    server = FileServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def tar_gz(members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    """An archive of files; a TarInfo stands for itself, a link or a device."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode='w:gz') as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def plain_source(server: FileServer, files: dict[str, bytes], *, split_of=lambda name: None,
                 title: str = 'Made data') -> Source:
    """Each file is a download of its own."""
    server.files.update(files)
    return Source('made', title, tuple(
        Download(server.url(name), md5(content), len(content),
                 (DataFile(name, md5(content), split_of(name), len(content)),))
        for name, content in files.items()))


def archive_source(server: FileServer, members: dict[str, bytes | tarfile.TarInfo],
                   wanted: dict[str, bytes], *, split_of=lambda name: None) -> Source:
    """One archive holds the `wanted` files, and whatever else is among its members."""
    packed = tar_gz(members)
    server.files['made.tar.gz'] = packed
    return Source('made', 'Made data', (Download(
        server.url('made.tar.gz'), md5(packed), len(packed),
        tuple(DataFile(name, md5(content), split_of(name)) for name, content in wanted.items()),
        is_archive=True),))
