"""A checkpoint has its name only once it is whole; every failure is a CheckpointError."""
import errno
import os
import resource

import pytest
import torch

from auglocal_mm.checkpoints import CheckpointError, read_checkpoint, write_atomically
from auglocal_mm.checkpoints.write import write_bytes, write_error, write_text, write_whole

OLD, NEW = {'state_dict': {'a': torch.zeros(9)}}, {'state_dict': {'a': torch.ones(9999)}}


def read(path):
    return read_checkpoint(path)['state_dict']['a']


def test_a_checkpoint_replaces_an_older_one(tmp_path):
    write_atomically(OLD, tmp_path / 'x.pth')
    write_atomically(NEW, tmp_path / 'x.pth')
    assert torch.equal(read(tmp_path / 'x.pth'), NEW['state_dict']['a'])
    assert os.listdir(tmp_path) == ['x.pth']


def test_a_full_disk_while_torch_writes(tmp_path):
    path = tmp_path / 'x.pth'
    write_atomically(OLD, path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(CheckpointError, match='forbids files of this size'):
            write_atomically(NEW, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert torch.equal(read(path), OLD['state_dict']['a']) and os.listdir(tmp_path) == ['x.pth']


@pytest.mark.parametrize('write', [
    lambda path: write_atomically(OLD, path), lambda path: write_bytes(b'', path),
    lambda path: write_text('', path), lambda path: write_whole(path, lambda file: None)],
    ids=['checkpoint', 'bytes', 'text', 'whole'])
def test_every_writer_of_this_room_raises_its_error(write, tmp_path):
    (tmp_path / 'file').touch()
    with pytest.raises(CheckpointError, match=r'cannot write .*file/x: '):
        write(tmp_path / 'file' / 'x')
    assert isinstance(write_error(tmp_path, OSError(errno.EIO, 'broken')), CheckpointError)
