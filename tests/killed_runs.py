"""Runs in forks of this process that are killed at random moments and at chosen places."""
from __future__ import annotations

import os
import random
import re
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import digit_runs
from tool_runs import free_port

#: Where a process can be told to kill itself, inside saving and outside.
PLACES = ('before an iteration', 'before a validation', 'before saving', 'half written',
          'before flushing', 'before renaming', 'after renaming', 'before naming',
          'after naming', 'before removing', 'after removing')


@dataclass(frozen=True)
class Plan:
    """When a run is killed: after some seconds, or where it comes to a place for the nth time."""
    place: str | None = None
    occurrence: int = 0
    seconds: float | None = None
    rank: int = 0

    @classmethod
    def draw(cls, dice: random.Random, *, seconds: float, ranks: int) -> Plan:
        rank = dice.randrange(ranks)
        if dice.random() < 0.4:
            return cls(seconds=dice.uniform(0.2, 1.0) * seconds, rank=rank)
        place = dice.choice(PLACES)
        writes = rank == 0 or place in PLACES[:2]
        return cls(place, dice.randint(1, 4), rank=rank if writes else 0)


@dataclass
class Tally:
    """What a run came to."""
    killed: bool
    first_iteration: int | None
    standing: int | None
    said: str = field(repr=False, default='')


def run(variants: tuple[str, ...], work_dir: Path, *, ranks: int = 1, plan: Plan | None = None,
        resume: bool = False) -> Tally:
    """Train in forks, one per rank; kill one of them as planned, and then the others."""
    plan = plan or Plan()
    progress = work_dir.with_suffix('.progress')
    progress.write_text('')
    said = work_dir.with_suffix('.said')
    said.write_text('')
    port = free_port()
    children = []
    for rank in range(ranks):
        child = os.fork()
        if child == 0:
            _be_rank(rank, ranks, port, said, lambda rank=rank: _train(
                variants, work_dir, ranks, resume, plan if plan.rank == rank else Plan(),
                progress if rank == 0 else None))
        children.append(child)
    killed = _wait(children, plan)
    lines = progress.read_text().split()
    iterations = [int(line[1:]) for line in lines if line[0] == 't']
    standing = [int(line[1:]) for line in lines if line[0] == 's']
    return Tally(killed, next(iter(iterations), None), standing[-1] if standing else None,
                 said.read_text())


def _wait(children: list[int], plan: Plan) -> bool:
    """Return whether a rank was killed; fail if one ended in an error of its own."""
    alarm = None if plan.seconds is None else time.monotonic() + plan.seconds
    deadline = time.monotonic() + 200
    left, killed = dict.fromkeys(children), False
    while left:
        for child in list(left):
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                del left[child]
                code = os.waitstatus_to_exitcode(status)
                if code == -signal.SIGKILL:
                    killed = True
                elif code != 0 and not killed:
                    # Its neighbour may have been killed just now.
                    time.sleep(0.2)
                    killed = any(_ended_by_kill(each, left) for each in list(left))
                    if not killed:
                        _kill(left)
                        raise AssertionError(f'a rank ended with status {code}')
        if alarm is not None and time.monotonic() > alarm:
            _kill([children[plan.rank]] if children[plan.rank] in left else [])
            alarm = None
        if killed or time.monotonic() > deadline:
            _kill(left)
        time.sleep(0.005)
    return killed


def _ended_by_kill(child: int, left: dict) -> bool:
    done, status = os.waitpid(child, os.WNOHANG)
    if done:
        del left[child]
    return bool(done) and os.waitstatus_to_exitcode(status) == -signal.SIGKILL


def _kill(children) -> None:
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def _be_rank(rank: int, ranks: int, port: str, said: Path, job: Callable[[], None]) -> None:
    """Run a job as one rank of several, then end this process."""
    try:
        output = os.open(said, os.O_WRONLY | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(output, stream)
        sys.stdout, sys.stderr = (os.fdopen(stream, 'w') for stream in (1, 2))
        if ranks > 1:
            os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(ranks),
                              MASTER_ADDR='127.0.0.1', MASTER_PORT=port)
        job()
        sys.stdout.flush()
        os._exit(0)
    except BaseException:
        import traceback
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(1)


def _train(variants: tuple[str, ...], work_dir: Path, ranks: int, resume: bool, plan: Plan,
           progress: Path | None) -> None:
    # As many batches per rank, whatever their number.
    cfg = digit_runs.config(work_dir, *variants, **{
        'default_hooks.checkpoint.max_keep_ckpts': 1,
        'train_dataloader.dataset.indices': 20 * ranks})
    cfg.launcher = 'pytorch' if ranks > 1 else 'none'
    _watch(plan, progress)
    digit_runs.train(cfg, 'auto' if resume else None)


def _watch(plan: Plan, progress: Path | None) -> None:
    """Note iterations and checkpoints that stand; die where the plan says."""
    from mmengine.fileio import LocalBackend
    from mmengine.runner import Runner, ValLoop

    from auglocal_mm.engine.loops import EpochBasedTrainLoop, IterBasedTrainLoop
    seen = dict.fromkeys(PLACES, 0)

    def pass_by(place: str) -> None:
        seen[place] += 1
        if place == plan.place and seen[place] == plan.occurrence:
            os.kill(os.getpid(), signal.SIGKILL)

    def note(text: str) -> None:
        if progress is not None:
            with progress.open('a') as file:
                file.write(f'{text}\n')

    def patch(owner, name, before=lambda *args: None, after=lambda *args: None) -> None:
        original = getattr(owner, name)

        def patched(*args, **kwargs):
            before(*args)
            result = original(*args, **kwargs)
            after(*args)
            return result
        setattr(owner, name, patched)

    def is_checkpoint(path) -> bool:
        return str(path).endswith('.pth')

    def flush(descriptor) -> None:
        size = os.fstat(descriptor).st_size
        if plan.place == 'half written' and seen['half written'] + 1 == plan.occurrence and size:
            os.ftruncate(descriptor, size // 2)
        if size:
            pass_by('half written')
            pass_by('before flushing')

    def replaced(_, path) -> None:
        if is_checkpoint(path):
            match = re.fullmatch(r'(epoch|iter)_(\d+)\.pth', Path(path).name)
            if match:
                note(f's{int(match[2]) * (5 if match[1] == "epoch" else 1)}')
            pass_by('after renaming')
        else:
            pass_by('after naming')

    for loop in (EpochBasedTrainLoop, IterBasedTrainLoop):
        patch(loop, 'run_iter', lambda self, *_: (note(f't{self._iter}'),
                                                  pass_by('before an iteration')))
    patch(ValLoop, 'run', lambda *_: pass_by('before a validation'))
    patch(Runner, 'save_checkpoint', lambda *_: pass_by('before saving'))
    patch(os, 'fsync', flush)
    patch(os, 'replace', lambda _, path: pass_by(
        'before renaming' if is_checkpoint(path) else 'before naming'), replaced)
    patch(LocalBackend, 'remove', lambda *_: pass_by('before removing'),
          lambda *_: pass_by('after removing'))
