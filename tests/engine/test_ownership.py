"""One process trains in a work_dir at a time."""
import os
import signal
import time
from contextlib import contextmanager

import pytest
from tool_runs import ROOT, run_forked

from auglocal_mm.checkpoints import CheckpointError
from auglocal_mm.engine.ownership import own


@contextmanager
def owner(folder, *, child=False):
    """A process that owns a folder; its own child, if it has one, outlives it."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            own(folder)
            if child and os.fork() == 0:
                os.write(writing, b'.')
                time.sleep(20)
                os._exit(0)
            os.write(writing, b'.' if not child else b'')
            time.sleep(60)
        finally:
            os._exit(1)
    os.read(reading, 1)
    try:
        yield process
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(reading)
        os.close(writing)


def test_the_second_process_is_refused_by_the_name_of_the_first(tmp_path):
    with owner(tmp_path) as first, pytest.raises(CheckpointError) as refused:
        own(tmp_path)
    message = str(refused.value)
    assert f'belongs to process {first} on ' in message and '--work-dir' in message
    assert '\n' not in message
    own(tmp_path)


def test_the_lock_is_gone_with_its_process_though_a_worker_of_it_lives(tmp_path):
    with owner(tmp_path, child=True), pytest.raises(CheckpointError):
        own(tmp_path)
    own(tmp_path)
    own(tmp_path)  # A process may train in it again.


def test_only_the_first_rank_takes_it(tmp_path, monkeypatch):
    with owner(tmp_path):
        for launcher, variable in (('pytorch', 'RANK'), ('slurm', 'SLURM_PROCID'),
                                   ('mpi', 'OMPI_COMM_WORLD_RANK')):
            monkeypatch.setenv(variable, '1')
            own(tmp_path, launcher=launcher)
            monkeypatch.setenv(variable, '0')
            with pytest.raises(CheckpointError):
                own(tmp_path, launcher=launcher)


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(CheckpointError, match='cannot write .*file'):
        own(tmp_path / 'file')


@pytest.mark.parametrize('options', [[], ['--resume']])
def test_a_second_train_py_says_so_in_a_line_and_writes_nothing(options, tmp_path):
    with owner(tmp_path) as first:
        before = sorted(os.listdir(tmp_path))
        said = run_forked('tools/train.py', ROOT / 'configs/demo/resnet34-slim_digits_auglocal.py',
                          '--work-dir', tmp_path, *options, folder=tmp_path, status=2)
        assert sorted(os.listdir(tmp_path)) == before
    assert said.startswith('error: ') and f'process {first} on ' in said
    assert len(said.splitlines()) == 1
