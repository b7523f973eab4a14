"""Real ranks: the cause is the last line, and no rank outlives its launcher.

Ranks here are small scripts that import nothing large. With training, and slower:
``pytest tests/console/ranks -m slow``.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest
from tiny_run import write_tiny_config
from tool_runs import ROOT, command, free_port, run_forked

from auglocal_mm.checkpoints import read_checkpoint
from auglocal_mm.console.ranks.launcher import new_folder

RANK = '''
import ctypes, os, signal, subprocess, sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from auglocal_mm.console.ranks.heart import heart
from auglocal_mm.console.tool import tool

heart.limit = 1.0
with tool(hosts=()):
    how, rank = sys.argv[1], int(os.environ['RANK'])
    Path(f'{{rank}}.pid').write_text(str(os.getpid()))
    if how == 'bad':
        raise FileNotFoundError(2, 'No such file or directory', 'absent.py')
    if rank == 1 and how == 'error':
        {{}}['absent']
    if rank == 1 and how == 'kill':
        os.kill(os.getpid(), signal.SIGKILL)
    if rank == 1 and how == 'stop':
        os.kill(os.getpid(), signal.SIGSTOP)
    if rank == 1 and how == 'lock':
        ctypes.PyDLL(None).sleep(100)
    if how == 'hang':
        heart.limit = 0.0
    if how in ('hang', 'stop', 'lock', 'stand'):
        child = subprocess.Popen(['sleep', '100'])
        Path(f'{{rank}}.child').write_text(str(child.pid))
        if how == 'stand' and rank == 0:  # as if it waited for the other
            exec('time.sleep(100)', {{'__name__': 'torch.distributed', 'time': time}})
        time.sleep(100)
    if how == 'slow':
        for _ in range(10):
            time.sleep(0.25)
            heart.acted()
        sys.exit(0)
    time.sleep(0.3)
    raise RuntimeError('[gloo/transport/tcp/pair.cc:534] Connection closed by peer')
'''


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'rank.py').write_text(RANK.format(root=str(ROOT)))
    return tmp_path


def words(how):
    return ['auglocal_mm/console/ranks/__main__.py', '--nnodes=1', '--master_addr=127.0.0.1',
            f'--master_port={free_port()}', '--nproc_per_node=2', 'rank.py', how]


@pytest.mark.parametrize(('how', 'status', 'said'), [
    ('error', 1, r'error: rank 1: KeyError: absent \(--debug shows the traceback\)'),
    ('kill', 1, r'error: rank 1 was ended by signal 9 \(SIGKILL\): .*memory runs out.*'),
    # The launcher may end the other rank before that one has told the same.
    ('bad', 2, r'error: (rank \d: )?absent.py: No such file or directory; check the path'),
])
def test_the_first_cause_is_the_last_line_and_the_only_one(how, status, said, folder):
    told = run_forked(*words(how), folder=folder, status=status, seconds=60)
    assert re.fullmatch(said, told.strip()), told


@pytest.mark.parametrize(('how', 'said'), [
    ('stop', r'error: rank 1: stopped by a signal \(SIGSTOP or SIGTSTP\) for 1 s, in .*'),
    ('lock', r'error: rank 1: frozen for 1 s, in <module> \(rank.py:\d+\): compiled code .*'),
    ('stand', r'error: rank 1: has stood still for \d s in <module> \(rank.py:\d+\), and no .*'),
])
def test_a_rank_that_hangs_ends_all_processes_with_its_name_and_its_place(
        how, said, folder, monkeypatch):
    (folder / 'tmp').mkdir()
    monkeypatch.setenv('TMPDIR', str(folder / 'tmp'))
    monkeypatch.setattr(tempfile, 'tempdir', None)
    told = run_forked(*words(how), folder=folder, status=1, seconds=60).rstrip().splitlines()
    assert re.fullmatch(said, told[-1]), told
    assert any('rank.py' in line and line.startswith('  File') for line in told), told
    left = [int(path.read_text()) for path in [*folder.glob('*.pid'), *folder.glob('*.child')]]
    assert left and not any(map(lives, left))
    assert not list((folder / 'tmp').iterdir())


def test_ranks_that_are_slow_are_left_alone(folder):
    assert run_forked(*words('slow'), folder=folder, seconds=60) == ''


@pytest.mark.parametrize('length', [20, 50, 90])
def test_a_loaders_worker_can_listen_in_the_folder_of_the_ranks(length, tmp_path, monkeypatch):
    long = tmp_path / ('x' * max(1, length - len(str(tmp_path)) - 1))
    long.mkdir()
    monkeypatch.setattr(tempfile, 'tempdir', str(long))
    folder = new_folder()
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(folder / 'listener-12345678'))
    finally:
        shutil.rmtree(folder)


def pids(folder):
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        found = [folder / f'{rank}.pid' for rank in range(2)]
        if all(path.is_file() and path.read_text() for path in found):
            return [int(path.read_text()) for path in found]
        time.sleep(0.05)
    pytest.fail('the ranks did not start')
    return []


def lives(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # A zombie that nobody has waited for has ended as well.
    return (open(f'/proc/{process}/stat').read().rpartition(')')[2].split()[0] != 'Z'
            if os.path.isdir(f'/proc/{process}') else True)


@pytest.mark.parametrize('name', ['SIGKILL', 'SIGINT'])
def test_no_rank_outlives_its_launcher(name, folder):
    number = getattr(signal, name)
    launcher = os.fork()
    if launcher == 0:
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            sys.stderr = (folder / 'said').open('w')
            os.chdir(folder)
            from auglocal_mm.console.ranks.launcher import main
            os._exit(main(words('hang')[1:]))
        finally:
            os._exit(1)
    ranks = pids(folder)
    os.kill(launcher, number)
    status = os.waitstatus_to_exitcode(os.waitpid(launcher, 0)[1])
    deadline = time.monotonic() + 60
    while any(map(lives, ranks)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(lives, ranks))
    if number == signal.SIGINT:
        assert (status, (folder / 'said').read_text()) == (130, 'interrupted\n')


FAILING = '''
import os, signal, time
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class Failing(Hook):
    """Fails on the second rank."""

    def __init__(self, how):
        self.how = how

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.how == 'wait':
            open(f'{os.environ["RANK"]}.pid', 'w').write(str(os.getpid()))
        elif os.environ['RANK'] == '1' and runner.iter:
            if self.how == 'error':
                {}['absent']
            elif self.how == 'hang':
                time.sleep(1000)
            else:
                os.kill(os.getpid(), signal.SIGKILL)
'''


def training(folder, how, *more, wrapper='LocalDistributedDataParallel'):
    (folder / 'failing.py').write_text(FAILING)
    write_tiny_config(
        folder, 'custom_imports = dict(imports=["failing"], allow_failed_imports=False)\n'
                f'custom_hooks = [dict(type="Failing", how={how!r})]',
        model_wrapper_cfg={'type': f'auglocal_mm.{wrapper}'},
        train_cfg={'by_epoch': True, 'max_epochs': 500}, param_scheduler=[])
    call = command('tools/dist_train.sh', 'config.py', 2, *more, folder=folder)
    call['env']['PYTHONPATH'] = f'{folder}:{call["env"]["PYTHONPATH"]}'
    return call


@pytest.mark.slow
@pytest.mark.parametrize(('how', 'more', 'said'), [
    ('error', [], r'error: rank 1: KeyError: absent \(the traceback is in \S+_rank1.log\)'),
    ('kill', [], r'error: rank 1 was ended by signal 9 \(SIGKILL\).*'),
    ('hang', ['--timeout', '0.2'], r'error: rank 0: no answer from the other ranks within 0.2 '
     r'minutes, the limit that --timeout sets.*'),
    ('hang', ['--hang-timeout', '3'], r'error: rank 1: has stood still for \d s in '
     r'after_train_iter \(failing.py:\d+\), and no rank .*; the stacks are in \S+_rank1.log'),
    ('none', ['--debug', '--cfg-options', 'model.local.depth=x'], r'error: AugLocal: depth .*'),
])
def test_training_on_ranks_ends_in_the_first_cause(how, more, said, tmp_path):
    done = subprocess.run(**training(tmp_path, how, *more), timeout=300, check=False)
    assert done.returncode in (1, 2)
    assert re.fullmatch(said, done.stdout.rstrip().splitlines()[-1]), done.stdout[-3000:]
    assert ('Traceback' in done.stdout) == ('--debug' in more)


@pytest.mark.slow
@pytest.mark.parametrize(('name', 'wrapper'), [
    ('SIGKILL', 'LocalDistributedDataParallel'), ('SIGINT', 'LocalDistributedDataParallel'),
    ('SIGINT', 'LocalPipelineParallel'), ('SIGTERM', 'LocalPipelineParallel')])
def test_no_training_rank_outlives_its_launcher(name, wrapper, tmp_path):
    call = training(tmp_path, 'wait', '--cfg-options', 'train_dataloader.num_workers=1',
                    wrapper=wrapper)
    (tmp_path / 'tmp').mkdir()
    call['env']['TMPDIR'] = str(tmp_path / 'tmp')
    launcher = subprocess.Popen(**call)
    ranks = pids(tmp_path)
    workers = [int(pid) for rank in ranks for pid in subprocess.run(
        ['pgrep', '-P', str(rank)], capture_output=True, text=True).stdout.split()]
    launcher.send_signal(getattr(signal, name))
    said = launcher.communicate(timeout=120)[0]
    deadline = time.monotonic() + 60
    while any(map(lives, [*ranks, *workers])) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(lives, [*ranks, *workers]))
    if name != 'SIGKILL':
        assert launcher.returncode == 128 + getattr(signal, name)
        assert re.fullmatch(r'interrupted in epoch \d+, after \d+ iterations of the run; continue '
                            'with --resume', said.rstrip().splitlines()[-1]), said[-2000:]
        assert 'Traceback' not in said and 'terminate' not in said, said[-4000:]
        # torch keeps the code that it compiles for the next run.
        left = {path.name.partition('_')[0] for path in (tmp_path / 'tmp').iterdir()}
        assert left <= {'torchinductor'}
        assert not list((tmp_path / 'run').glob('.*.partial'))
        for path in (tmp_path / 'run').glob('*.pth'):
            read_checkpoint(path)


def test_torchs_own_launcher_is_given_the_line_too(tmp_path, monkeypatch):
    from auglocal_mm.console.ranks.report import report
    from auglocal_mm.console.told import Fault
    monkeypatch.setenv('TORCHELASTIC_ERROR_FILE', str(tmp_path / 'error.json'))
    report(Fault(2, 'no config at x'))
    assert json.loads((tmp_path / 'error.json').read_text())['message']['message'] == (
        'no config at x')
