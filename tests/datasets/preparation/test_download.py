"""Downloads from a server that misbehaves: all of the file comes, or nothing has its name."""
import errno
import io
import os
import resource
import signal
import tempfile
import threading
import time
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from file_server import IMPATIENT, md5, plain_source, serving

from auglocal_mm.datasets import DataError
from auglocal_mm.datasets.preparation import Progress, check, prepare
from auglocal_mm.datasets.preparation import download as download_module

FORK = get_context('fork')
CONTENT = np.random.default_rng(0).bytes(600_000)


@pytest.fixture
def server():
    with serving() as server:
        yield server


@pytest.fixture
def source(server):
    return plain_source(server, {'a.mat': CONTENT})


def get(source, root):
    said = io.StringIO()
    prepare(source, root, progress=Progress(said), patience=IMPATIENT)
    return said.getvalue()


def refuse(source, root, message):
    """Nothing has the file's final name after a fault, and the fault is one line."""
    with pytest.raises(DataError, match=message) as caught:
        get(source, root)
    assert '\n' not in str(caught.value)
    assert not (root / 'a.mat').exists()


def test_a_file_comes_whole_and_a_second_call_asks_for_nothing(server, source, tmp_path):
    root = tmp_path / 'new' / 'folder'
    said = get(source, root)
    assert (root / 'a.mat').read_bytes() == CONTENT
    assert 'a.mat: 100 % of 0.6 MB' in said
    assert get(source, root) == ''
    assert server.ranges == [None]
    assert {path.name for path in root.iterdir()} == {'a.mat', '.prepare.lock'}


@pytest.mark.parametrize(('faults', 'ranges'), [
    ([300_000], [None, 'bytes=300000-']),
    ([1, 200_000, 399_998], [None, 'bytes=1-', 'bytes=200001-', 'bytes=599999-']),
    ([300_000, 'no range'], [None, 'bytes=300000-']),
    ([300_000, 'other range'], [None, 'bytes=300000-', 'bytes=300000-']),
    ([300_000, '416'], [None, 'bytes=300000-', None]),
    (['503', 10, '500', '429'], [None, None, 'bytes=10-', 'bytes=10-', 'bytes=10-']),
])
def test_a_broken_transfer_is_continued_or_restarted(server, source, tmp_path, faults, ranges):
    server.faults = faults
    get(source, tmp_path)
    assert (tmp_path / 'a.mat').read_bytes() == CONTENT
    assert server.ranges == ranges


def test_a_server_that_stays_silent_is_given_up_and_continued_later(server, source, tmp_path):
    server.faults = [250_000, '503', '503', '503']
    refuse(source, tmp_path, r'503 .*; 250,000 of 600,000 bytes are here\. Run this again')
    server.ranges.clear()
    get(source, tmp_path)
    assert server.ranges == ['bytes=250000-']
    assert (tmp_path / 'a.mat').read_bytes() == CONTENT


def test_a_hung_server_is_given_up(server, source, tmp_path):
    server.hold = threading.Event()
    patience = download_module.Patience(timeout_seconds=0.05, retries=0, wait_seconds=0)
    with pytest.raises(DataError, match=r'timed out; \d+,\d+ of 600,000 bytes'):
        prepare(source, tmp_path, progress=Progress(io.StringIO()), patience=patience)
    server.hold.set()


def test_an_unreachable_server_is_named(source, server, tmp_path):
    server.shutdown()
    server.server_close()
    refuse(source, tmp_path, r'127\.0\.0\.1.*refused')


def test_a_missing_file_is_not_asked_for_twice(server, source, tmp_path):
    server.files.clear()
    refuse(source, tmp_path, 'the server answered 404 Not Found; put the file at .*/a.mat')
    assert len(server.ranges) == 1


def test_other_bytes_of_the_same_size_are_removed(server, source, tmp_path):
    server.files['a.mat'] = bytes(reversed(CONTENT))
    refuse(source, tmp_path, f'has md5 .*, expected {md5(CONTENT)}; it was removed')
    assert {path.name for path in tmp_path.iterdir()} == {'.prepare.lock'}
    server.files['a.mat'] = CONTENT
    get(source, tmp_path)


@pytest.mark.parametrize('content', [CONTENT[:-1], b'<html>log in first</html>', CONTENT + b'x'])
def test_a_file_of_another_size_is_not_fetched(server, source, tmp_path, content):
    server.files['a.mat'] = content
    refuse(source, tmp_path, f'is {len(content):,} bytes long, expected 600,000')


def test_a_damaged_file_is_replaced_and_kept_until_then(server, source, tmp_path):
    (tmp_path / 'a.mat').write_bytes(CONTENT[:100])
    server.faults = ['404']
    with pytest.raises(DataError, match='404'):
        get(source, tmp_path)
    assert (tmp_path / 'a.mat').read_bytes() == CONTENT[:100]
    said = get(source, tmp_path)
    assert said.count('a.mat has 100 bytes, expected 600,000; it will be replaced') == 1
    assert (tmp_path / 'a.mat').read_bytes() == CONTENT


@pytest.mark.parametrize('link', ['.a.mat.partial', '.prepare.lock'])
def test_links_are_not_written_through(source, tmp_path, link):
    victim = tmp_path / 'victim'
    victim.write_text('kept')
    root = tmp_path / 'root'
    root.mkdir()
    (root / link).symlink_to(victim)
    refuse(source, root, f'{link}')
    assert victim.read_text() == 'kept'


def test_too_little_space_is_seen_before_the_transfer(server, source, tmp_path, monkeypatch):
    monkeypatch.setattr(download_module.shutil, 'disk_usage',
                        lambda path: SimpleNamespace(free=599_999))
    refuse(source, tmp_path, r'0\.6 MB free, but 0\.6 MB are still to come; free some space')
    assert server.ranges == []


def run_forked(work):
    """Run `work` in a process of its own; return the fault it met, or None."""
    ours, theirs = FORK.Pipe(duplex=False)

    def child():
        try:
            work()
            theirs.send(None)
        except DataError as error:
            theirs.send(str(error))
    process = FORK.Process(target=child)
    process.start()
    process.join(60)
    assert process.exitcode == 0
    return ours.recv()


def test_a_disk_that_fills_up_keeps_what_came(source, tmp_path):
    def fill():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
        get(source, tmp_path)
    fault = run_forked(fill)
    assert fault.startswith(f'cannot write {tmp_path}/.a.mat.partial: {os.strerror(errno.EFBIG)}')
    assert not (tmp_path / 'a.mat').exists()
    assert (tmp_path / '.a.mat.partial').read_bytes() == CONTENT[:400_000]
    get(source, tmp_path)
    assert (tmp_path / 'a.mat').read_bytes() == CONTENT


def test_a_read_only_folder_is_named(source):
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        root = Path(place) / 'root'
        root.mkdir(mode=0o555)

        def write():
            if os.getuid() == 0:
                os.setuid(65534)  # the superuser may write anywhere
            get(source, root)
        fault = run_forked(write)
        assert fault == (f'cannot write {root}/.prepare.lock: Permission denied; choose a '
                         'writable folder with --root')
        root.chmod(0o755)
        (root / 'a.mat').write_bytes(CONTENT)
        root.chmod(0o555)
        assert run_forked(write) is None  # complete data needs no lock


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_of_two_processes_one_downloads_and_the_other_waits(server, source, tmp_path):
    server.hold = threading.Event()
    processes = [FORK.Process(target=get, args=(source, tmp_path)) for _ in range(2)]
    for process in processes:
        process.start()
    wait_for(lambda: server.ranges)
    server.hold.set()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert server.ranges == [None]
    assert (tmp_path / 'a.mat').read_bytes() == CONTENT


def test_a_killed_download_is_continued_and_leaves_no_lock(server, source, tmp_path):
    server.hold = threading.Event()
    process = FORK.Process(target=get, args=(source, tmp_path))
    process.start()
    partial = tmp_path / '.a.mat.partial'
    wait_for(lambda: partial.exists() and partial.stat().st_size)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    server.hold.set()
    have = partial.stat().st_size
    assert 0 < have < len(CONTENT)
    assert not check(source, tmp_path).is_complete
    server.ranges.clear()
    get(source, tmp_path)
    assert server.ranges == [f'bytes={have}-']
    assert (tmp_path / 'a.mat').read_bytes() == CONTENT
