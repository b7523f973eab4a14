"""Execution runs what is missing, keeps slots full, survives failures and interruptions."""
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from auglocal_mm.lab.jobs import child_environment
from auglocal_mm.lab.runs.execute import Execution, only_one, signals_ignored
from auglocal_mm.lab.runs.run import Run
from auglocal_mm.lab.runs.step import Step


@dataclass(frozen=True)
class Script(Step):
    """A step that runs a line of Python; done when its file is there."""

    name: str
    out: Path
    code: str
    root: Path = Path()
    epochs: None = None
    work_dir: None = None

    def done(self):
        return self.out.is_file()

    def command(self):
        return [sys.executable, '-c', self.code]

    def measured(self):
        return {'value': float(self.out.read_text())} if self.done() else {}


def make_run(folder, name, *codes):
    """A run of one row; in each code OUT is the step's file."""
    steps = tuple(
        Script(f'step{index}', folder / name / f'{index}.txt',
               code.replace('OUT', repr(str(folder / name / f'{index}.txt'))))
        for index, code in enumerate(codes))
    return Run(SimpleNamespace(name=name, label=name, cost=1.0), 0, folder / name, steps)


TOOL = 'tools/reproduce.py'
WRITE = 'open(OUT, "w").write("1")'


def execute(runs, root, *, slots=1, watch=lambda execution: None):
    environments = [{**child_environment(root), 'SLOT': str(slot)} for slot in range(slots)]
    execution = Execution(runs, environments=environments, cwd=root)
    execution.execute(watch)
    return execution


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr('auglocal_mm.lab.runs.execute._POLL_SECONDS', 0.02)


def test_steps_of_a_run_follow_each_other_and_time_is_noted(root, tmp_path):
    second = 'import os; assert os.path.exists(OUT.replace("1.txt", "0.txt")); ' + WRITE
    run = make_run(tmp_path, 'a', WRITE, second)
    assert run.state == 'missing'
    execution = execute([run], root)
    assert run.state == 'done'
    assert execution.finished == [run]
    assert not execution.failures
    assert run.seconds > 0
    assert set(run.record) == {'identity', 'seed', 'seconds', 'hardware', 'versions'}


def test_what_is_done_is_not_run_again(root, tmp_path):
    run = make_run(tmp_path, 'a', WRITE)
    execute([run], root)
    again = make_run(tmp_path, 'a', 'raise SystemExit("run again")')
    execution = execute([again], root)
    assert not execution.failures
    assert not execution.finished


def test_a_run_goes_on_after_its_finished_steps(root, tmp_path):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'a/0.txt').write_text('1')
    run = make_run(tmp_path, 'a', 'raise SystemExit("run again")', WRITE)
    assert run.state == 'interrupted'
    assert not execute([run], root).failures
    assert run.state == 'done'


def test_a_failure_leaves_the_others_running(root, tmp_path):
    runs = [make_run(tmp_path, 'a', 'print("the reason"); raise SystemExit(3)', WRITE),
            make_run(tmp_path, 'b', WRITE),
            make_run(tmp_path, 'c', 'print("nothing written")')]
    execution = execute(runs, root)
    assert [run.state for run in runs] == ['missing', 'done', 'missing']
    first, second = execution.failures
    assert (first.run, first.reason) == (
        runs[0], 'a · seed 0 ended with exit status 3: the reason')
    assert first.log.read_text() == 'the reason\n'
    assert second.reason == 'ended without error, but incomplete'


def test_runs_share_the_slots(root, tmp_path):
    """Two runs that wait for each other end only when they run at once, in different slots."""
    code = ('import os, time; from pathlib import Path; here = Path(OUT).parent; '
            '(here / os.environ["SLOT"]).touch(); '
            'slot = str(1 - int(os.environ["SLOT"])); '
            'other = here.parent / {"a": "b", "b": "a"}[here.name] / slot\n'
            'while not other.exists(): time.sleep(0.01)\n' + WRITE)
    most = []
    runs = [make_run(tmp_path, name, code) for name in 'ab'] + [make_run(tmp_path, 'c', WRITE)]
    execute(runs, root, slots=2, watch=lambda execution: most.append(len(execution.active)))
    assert [run.state for run in runs] == ['done'] * 3
    assert max(most) == 2


def test_a_measurement_of_time_runs_alone(root, tmp_path, monkeypatch):
    runs = [make_run(tmp_path, name, WRITE) for name in 'abc']
    monkeypatch.setattr(Run, 'alone', property(lambda run: run is runs[-1]))
    together = []
    execute(runs, root, slots=3, watch=lambda execution: together.append(
        {each.run.row.name for each in execution.active.values()}))
    assert {'a', 'b'} in together
    assert {'c'} in together
    assert all(names <= {'a', 'b'} or names == {'c'} for names in together)


def test_an_interruption_stops_what_runs(root, tmp_path):
    run = make_run(tmp_path, 'a', 'import time, os; open(OUT + ".pid", "w").write(str(os.getpid()))'
                   '\ntime.sleep(60)')
    pid = tmp_path / 'a/0.txt.pid'

    def interrupt(execution):
        if pid.exists() and pid.read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute([run], root, watch=interrupt)
    assert run.state == 'missing'
    assert run.seconds > 0
    assert not Path(f'/proc/{pid.read_text()}').exists()


def test_a_second_signal_does_not_end_the_stopping():
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with signals_ignored():
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.raise_signal(each)
    assert before == [
        signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]


def test_a_folder_serves_one_process_at_a_time(root, tmp_path):
    code = ('from pathlib import Path; import sys, time\n'
            'from auglocal_mm.lab.runs.execute import only_one\n'
            f'with only_one(Path({str(tmp_path)!r}), tool="a"):\n'
            '    print("held", flush=True); sys.stdin.read()\n')
    with subprocess.Popen([sys.executable, '-c', code], cwd=root, env=child_environment(root),
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == 'held\n'
        with pytest.raises(ValueError, match=f'in use by another {TOOL}'), \
                only_one(tmp_path, tool=TOOL):
            pass
        holder.communicate('')
    with only_one(tmp_path, tool=TOOL):
        pass


def test_a_training_that_outlives_its_starter_keeps_others_out(root, tmp_path):
    code = ('from pathlib import Path; import sys, time\n'
            'from auglocal_mm.lab.jobs import Job, RunningJob, child_environment\n'
            'from auglocal_mm.lab.runs.execute import only_one\n'
            f'folder = Path({str(tmp_path)!r})\n'
            'with only_one(folder, tool="a") as lock:\n'
            '    job = Job("a", "a", [sys.executable, "-c", "import time; time.sleep(60)"])\n'
            '    running = RunningJob(job, log_dir=folder, cwd=folder,\n'
            f'        env=child_environment(Path({str(root)!r})), keep_open=[lock])\n'
            '    print(running._process.pid, flush=True); time.sleep(60)\n')
    starter = subprocess.Popen([sys.executable, '-c', code], cwd=root,
                               env=child_environment(root), stdout=subprocess.PIPE, text=True)
    child = int(starter.stdout.readline())
    starter.kill()
    starter.wait()
    starter.stdout.close()
    try:
        with pytest.raises(ValueError, match='process that one left behind'), \
                only_one(tmp_path, tool=TOOL):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
    deadline = time.monotonic() + 20
    while Path(f'/proc/{child}').exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    with only_one(tmp_path, tool=TOOL):
        pass


def test_the_lock_outlives_no_process(root, tmp_path):
    """A killed holder leaves the folder free."""
    holder = subprocess.Popen(
        [sys.executable, '-c', 'from pathlib import Path; import time\n'
         'from auglocal_mm.lab.runs.execute import only_one\n'
         f'with only_one(Path({str(tmp_path)!r}), tool="a"):\n'
         '    print("held", flush=True); time.sleep(60)'],
        cwd=root, env=child_environment(root), stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == 'held\n'
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with only_one(tmp_path, tool=TOOL):
        pass
