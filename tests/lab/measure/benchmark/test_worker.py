"""A worker's process: answers, deaths, and a clean standard output."""
import os
import subprocess
import sys
import time
from pathlib import Path

import bench_subjects
import pytest

from auglocal_mm.lab.measure.benchmark.turns import Turns
from auglocal_mm.lab.measure.benchmark.worker import Worker, WorkerFailed, describe


@pytest.fixture
def start():
    workers = []

    def begin(make):
        workers.append(Worker(make.__name__, make))
        return workers[-1]
    yield begin
    for worker in workers:
        worker.stop()
        assert not worker._process.is_alive()


def test_a_worker_answers_from_a_process_of_its_own(start, capfd):
    worker = start(bench_subjects.Made)
    worker.wait_until_ready()
    worker.begin()
    assert [worker.step(), worker.step()] == [0.25, 0.25]
    assert worker.measure()['pid'] == worker._process.pid != os.getpid()
    worker.stop()
    assert worker._process.exitcode == 0
    out, err = capfd.readouterr()
    assert out == '' and err.count('said while stepping') == 2


@pytest.mark.parametrize(('make', 'said'), [
    (bench_subjects.Exits, '^its process ended with exit status 3$'),
    (bench_subjects.Killed, 'ended by SIGKILL, which usually means out of memory; try a smaller'),
    (bench_subjects.OutOfMemory, r'^out of memory; .* \(no room for 7 bytes\)$')])
def test_a_worker_that_dies(forked_workers, start, make, said):
    worker = start(make)
    worker.wait_until_ready()
    with pytest.raises(WorkerFailed, match=said):
        worker.step()
    with pytest.raises(WorkerFailed):  # and stays dead
        worker.step()


def test_a_subject_that_cannot_be_made(forked_workers, start):
    with pytest.raises(WorkerFailed, match='^depth must be at least 2, got 1$'):
        start(bench_subjects.NeverMade).wait_until_ready()


def test_the_others_survive(forked_workers, start):
    workers = [start(make) for make in (
        bench_subjects.Made, bench_subjects.Killed, bench_subjects.NeverMade)]
    outcomes = Turns(workers, lambda line: None).measure(warmup=0, rounds=2)
    assert outcomes['Made'].step_seconds == [0.25, 0.25] and outcomes['Made'].error is None
    assert 'SIGKILL' in outcomes['Killed'].error and 'depth' in outcomes['NeverMade'].error


ORPHAN = '''
import os, sys
sys.path.insert(0, sys.argv[1])
from bench_subjects import Made
from auglocal_mm.lab.measure.benchmark.worker import Worker
worker = Worker('orphan', Made)
worker.wait_until_ready()
print(worker.measure()['pid'], flush=True)
os._exit(9)
'''


def test_no_worker_outlives_its_parent(root):
    done = subprocess.run(
        [sys.executable, '-c', ORPHAN, str(root / 'tests')], cwd=root, capture_output=True,
        text=True, env={**os.environ, 'PYTHONPATH': str(root)}, check=False)
    assert done.returncode == 9, done.stderr
    stat = Path(f'/proc/{int(done.stdout)}/stat')
    for _ in range(600):
        # Gone, or ended and not yet collected by whoever inherited it.
        if not stat.exists() or stat.read_text().rpartition(')')[2].split()[0] == 'Z':
            return
        time.sleep(0.1)
    raise AssertionError(f'process {done.stdout} is still there')


def test_errors_in_a_line():
    assert describe(RuntimeError('a\nb')) == 'RuntimeError: a'
    assert describe(KeyError()) == 'KeyError: KeyError'
    assert describe(ValueError('X:\n  - a must be 1\n  - b')) == 'X: - a must be 1 - b'
    allocator = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 8 bytes")
    assert describe(allocator).startswith('out of memory; try a smaller --batch-size')
