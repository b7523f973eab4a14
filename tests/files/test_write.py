"""A file has its name only once it is whole, whatever happens on the way."""
import errno
import os
import signal

import pytest

from auglocal_mm.files import FileError, remove_abandoned, write_bytes, write_text, write_whole

OLD, NEW = b'old', b'new' * 9999


def forked(job):
    child = os.fork()
    if child == 0:
        try:
            job()
            os._exit(0)
        finally:
            os._exit(1)
    return child, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize(('step', 'before', 'expected'), [
    ('fsync', True, OLD), ('fsync', False, OLD), ('replace', True, OLD), ('replace', False, NEW)])
def test_a_process_killed_on_the_way_leaves_the_old_file_or_the_new_one(
        step, before, expected, tmp_path, monkeypatch):
    path = tmp_path / 'x.txt'
    write_bytes(OLD, path)
    original = getattr(os, step)

    def die(*args):
        if not before:
            original(*args)
        os.kill(os.getpid(), signal.SIGKILL)

    def job():
        monkeypatch.setattr(os, step, die)
        write_bytes(NEW, path)

    assert forked(job)[1] == -signal.SIGKILL
    assert path.read_bytes() == expected
    # The next one to write it tidies up.
    write_bytes(NEW, path)
    assert os.listdir(tmp_path) == ['x.txt']


@pytest.mark.parametrize('step', ['fsync', 'replace'])
@pytest.mark.parametrize(('number', 'fix'), [
    (errno.ENOSPC, 'free some space'), (errno.EDQUOT, 'quota'), (errno.EROFS, 'choose a folder'),
    (errno.EIO, 'choose another folder')])
def test_a_disk_error_is_one_line_and_keeps_the_old_file(step, number, fix, tmp_path, monkeypatch):
    path = tmp_path / 'x.txt'
    write_bytes(OLD, path)

    def fail(*_):
        raise OSError(number, os.strerror(number))
    with monkeypatch.context() as patch, pytest.raises(FileError) as refused:
        patch.setattr(os, step, fail)
        write_bytes(NEW, path)
    message = str(refused.value)
    assert str(path) in message and os.strerror(number) in message and fix in message
    assert '\n' not in message
    assert path.read_bytes() == OLD and os.listdir(tmp_path) == ['x.txt']


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    write_text('', tmp_path / 'file')
    said = r'cannot write .*file/x: (Not a directory|File exists)'
    with pytest.raises(FileError, match=said):
        write_text('', tmp_path / 'file' / 'x')


def test_leftovers_of_dead_processes_go_and_those_of_living_ones_stay(tmp_path):
    dead, _ = forked(lambda: None)
    names = [f'.x[1].pth.{dead}.partial', f'.x[1].pth.{os.getppid()}.partial',
             f'.other.{dead}.partial', '.x[1].pth.me.partial', 'x.partial']
    for name in names:
        (tmp_path / name).write_text('')
    write_bytes(b'1', tmp_path / 'x[1].pth')
    assert set(os.listdir(tmp_path)) == {'x[1].pth', *names[1:]}
    remove_abandoned(tmp_path)
    assert set(os.listdir(tmp_path)) == {'x[1].pth', names[1], *names[3:]}


def test_a_link_stays_a_link_and_a_pipe_a_pipe(tmp_path):
    (tmp_path / 'link').symlink_to('target')
    write_bytes(b'1', tmp_path / 'link')
    assert (tmp_path / 'link').is_symlink() and (tmp_path / 'target').read_bytes() == b'1'
    os.mkfifo(tmp_path / 'pipe')
    reader = os.open(tmp_path / 'pipe', os.O_RDONLY | os.O_NONBLOCK)
    write_bytes(b'2', tmp_path / 'pipe')
    assert os.read(reader, 9) == b'2' and (tmp_path / 'pipe').is_fifo()
    os.close(reader)


def test_the_class_of_the_error_is_the_callers(tmp_path):
    class OwnError(FileError):
        pass
    (tmp_path / 'file').touch()
    with pytest.raises(OwnError, match='Files that were there before are kept'):
        write_whole(tmp_path / 'file' / 'x', lambda file: None, error=OwnError)


def test_a_name_that_is_too_long_is_a_fault_in_one_line(tmp_path):
    with pytest.raises(FileError, match='File name too long; choose another folder'):
        write_text('', tmp_path / ('x' * 300))
