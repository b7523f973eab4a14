import os
import sys
import time

import pytest

from auglocal_mm.lab.jobs import Job, JobFailed, RunningJob, run_jobs, tail


def python(name: str, code: str) -> Job:
    return Job(name, name.upper(), [sys.executable, '-c', code])


def run(jobs, folder, *, side_by_side=2, watch=lambda started, waiting: None):
    return run_jobs(jobs, log_dir=folder, cwd=folder, env=os.environ,
                    side_by_side=side_by_side, watch=watch)


def test_output_goes_to_logs_and_nowhere_else(tmp_path, capfd):
    code = 'import sys; print("out"); print("err", file=sys.stderr)'
    took = run([python('a', code), python('b', code)], tmp_path)
    assert set(took) == {'a', 'b'}
    for name in took:
        assert sorted((tmp_path / f'{name}.log').read_text().split()) == ['err', 'out']
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('side_by_side', [1, 2])
def test_never_more_at_a_time_than_asked(tmp_path, side_by_side):
    most = 0

    counts = []

    def watch(started, waiting):
        nonlocal most
        counts.append(len(started) + waiting)
        most = max(most, sum(each.seconds is None for each in started))

    run([python(name, 'import time; time.sleep(0.1)') for name in 'abc'], tmp_path,
        side_by_side=side_by_side, watch=watch)
    assert most == side_by_side
    assert set(counts) == {3}


def test_a_failure_stops_the_others_and_names_the_log(tmp_path):
    seen = []
    forever = python('forever', 'import time; time.sleep(600)')
    failing = python('failing', 'print("why"); raise SystemExit(3)')
    with pytest.raises(JobFailed, match='FAILING ended with exit status 3') as caught:
        run([forever, failing], tmp_path, watch=lambda started, waiting: seen.append(started))
    assert caught.value.log == tmp_path / 'failing.log'
    assert tail(caught.value.log, limit=100) == 'why\n'
    assert all(each._process.poll() is not None for each in seen[-1])


def test_stopping_ends_grandchildren(tmp_path):
    code = ('import subprocess, sys, time;'
            'child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]);'
            'print(child.pid, flush=True); time.sleep(600)')
    job = RunningJob(python('parent', code), log_dir=tmp_path, cwd=tmp_path, env=os.environ)
    while not tail(job.log, limit=100).endswith('\n'):
        time.sleep(0.05)
    grandchild = int(tail(job.log, limit=100))
    job.stop()
    for _ in range(100):
        if not _is_alive(grandchild):
            return
        time.sleep(0.05)
    pytest.fail(f'process {grandchild} outlived its job')


def _is_alive(pid: int) -> bool:
    try:
        with open(f'/proc/{pid}/stat', encoding='utf-8') as file:
            return file.read().split()[2] != 'Z'
    except FileNotFoundError:
        return False


def test_tail_of_a_long_file_and_of_none(tmp_path):
    (tmp_path / 'log').write_text('a' * 1000 + 'end')
    assert tail(tmp_path / 'log', limit=5) == 'aaend'
    assert tail(tmp_path / 'none', limit=5) == ''
