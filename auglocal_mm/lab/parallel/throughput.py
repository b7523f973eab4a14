"""Throughput of ways to train on several ranks, taken in turns in processes of their own."""
from __future__ import annotations

import logging
import os
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from auglocal_mm.console.tool import DEBUG
from auglocal_mm.plan import Event
from auglocal_mm.validation import Faults, check_int

from .costs import config_name
from .measurement import Measurement, Timed, model_options, speeds_of
from .names import ALONE, PIPELINE, names_of
from .prediction import predict

#: Steps whose actions are shown.
TRACED_STEPS = 8
#: How long a rank may take to end.
_ENDING_SECONDS = 30
#: Ranks for which one machine has memory, since each strategy has processes of its own.
_MOST_RANKS = 64
_MOST = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is compared.

    Attributes:
        local: Config of a classifier trained locally.
        bp: The same network trained by BP.
        size: Images per step, of all ranks together.
        ranks: Number of ranks.
        steps: Steps between two looks at the clock.
        rounds: How often each strategy is timed.
        options: Settings that override the local config's.
        simulate: Whether modules are timed one by one, and the strategies simulated.
    """
    local: str
    bp: str
    size: int
    ranks: int = 2
    steps: int = 10
    rounds: int = 5
    options: Mapping[str, Any] = field(default_factory=dict)
    simulate: bool = False

    def __post_init__(self) -> None:
        faults = Faults('the benchmark')
        check_int(faults, '--ranks', self.ranks, 2, _MOST_RANKS)
        check_int(faults, '--steps', self.steps, 1, _MOST)
        check_int(faults, '--rounds', self.rounds, 1, _MOST)
        check_int(faults, '--batch-size', self.size, 2 * max(self.ranks, 1), _MOST,
                  note=', two images for each rank')
        faults.raise_if_any()

    def check_configs(self) -> None:
        """Read both configs, so that a wrong one is refused before processes start.

        Raises:
            FileNotFoundError: There is no such config.
            ValueError: It is not a classifier's, or the first one is not trained locally.
        """
        from auglocal_mm.config.named import class_of
        from auglocal_mm.console.host_chatter import import_hosts
        from auglocal_mm.engine.options import load_config
        from auglocal_mm.lab.measure.benchmark.classifiers import Classifiers
        from auglocal_mm.registry import LOCAL_RULES
        from auglocal_mm.rules import Backprop
        import_hosts('mmpretrain.models')
        for path, options in ((self.local, dict(self.options)), (self.bp, {})):
            cfg = load_config(path, cfg_options=options)
            if cfg.get('model') is None or not Classifiers().includes(cfg):
                raise ValueError(f'{path} must be the config of a classifier; detectors can be '
                                 'planned with plan_parallel.py')
            rule = class_of((cfg.model.get('local') or {}).get('type'), LOCAL_RULES)
            if path == self.local and rule in (None, Backprop):
                raise ValueError(f'{path} must be the config of a network that is trained '
                                 'locally; its model.local.type names no rule but Backprop')


class Team:
    """The ranks of one strategy: they wait, and train only when it is their turn."""

    def __init__(self, name: str, job: Job, folder: Path) -> None:
        self.name = name
        ranks = 1 if name in ALONE else job.ranks
        context = get_context('spawn')
        self._links: list[Connection] = []
        self._processes: list[Any] = []
        for rank in range(ranks):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_member, daemon=True,
                args=(theirs, name, job, rank, ranks, str(folder / 'store')))
            process.start()
            self._processes.append(process)
            theirs.close()
            self._links.append(ours)

    def ready(self) -> None:
        """Wait until every rank is built."""
        self._answers()

    def turn(self) -> float:
        """Train some steps; return the seconds of the slowest rank."""
        for link in self._links:
            link.send('go')
        return max(self._answers())

    def trace(self, steps: int) -> tuple[Event, ...]:
        """Train some steps; return what each rank did, from the first of these steps on."""
        for link in self._links:
            link.send(steps)
        answers = [link.recv() for link in self._links]
        events = [event for answer in answers for event in answer]
        begin = min((event.start for event in events), default=0.0)
        return tuple(replace(event, start=event.start - begin, stop=event.stop - begin)
                     for event in events)

    def close(self) -> None:
        """Let the ranks go, and wait until they have ended."""
        for link in self._links:
            link.close()
        for process in self._processes:
            process.join(timeout=_ENDING_SECONDS)

    def _answers(self) -> list[float]:
        answers = [link.recv() for link in self._links]
        for answer in answers:
            if isinstance(answer, str):
                raise RuntimeError(f'{self.name}: {answer}')
        return answers


@dataclass(frozen=True, kw_only=True)
class Throughput:
    """What was measured.

    Attributes:
        job: What was compared.
        strategies: Figures of each.
        trace: What the ranks of the local pipeline did in a few more steps.
        simulated: Throughput as a multiple of one rank's, by name, as the simulation says.
    """
    job: Job
    strategies: tuple[Timed, ...]
    trace: tuple[Event, ...] = ()
    simulated: Mapping[str, float] = field(default_factory=dict)

    @property
    def measurement(self) -> Measurement:
        """The figures without the trace."""
        return Measurement(config=config_name(self.job.local), batch_size=self.job.size,
                           ranks=self.job.ranks, steps=self.job.steps,
                           strategies=self.strategies, options=model_options(self.job.options))

    def table(self) -> str:
        """Return the figures as Markdown; ratios are to one rank of the same kind, by rounds."""
        lines = ['| | ms per step | of one rank | simulated | images per second |',
                 '|---|---|---|---|---|']
        speeds = speeds_of(self.strategies)
        for timed in self.strategies:
            speed = speeds.get(timed.name)
            low, high = min(timed.seconds) * 1000, max(timed.seconds) * 1000
            lines.append(f'| {timed.name} | {timed.median * 1000:.0f} [{low:.0f}, {high:.0f}] | '
                         f'{"" if speed is None else f"{speed:.2f} times"} | '
                         f'{self._missed(timed.name, speed)} | '
                         f'{self.job.size / timed.median:.0f} |')
        return '\n'.join(lines)

    def _missed(self, name: str, speed: float | None) -> str:
        """Return the simulation's value, and by how much it is above the measured one."""
        expected = self.simulated.get(name)
        if expected is None:
            return ''
        if speed is None:
            return f'{expected:.2f} times'
        return f'{expected:.2f} times ({expected / speed - 1:+.0%})'


def measure(job: Job, names: Sequence[str] | None = None, *,
            say: Callable[[str], Any] = print) -> Throughput:
    """Time strategies in turns, so that other load on the machine affects all alike.

    Args:
        job: What is compared.
        names: Strategies; ``None`` for all.
        say: Called with a line about each round.
    """
    chosen = names_of(names)
    job.check_configs()
    with tempfile.TemporaryDirectory() as folder:
        teams = []
        for index, name in enumerate(chosen):
            place = Path(folder) / str(index)
            place.mkdir()
            teams.append(Team(name, job, place))
        for team in teams:
            team.ready()
        for team in teams:
            team.turn()
        seconds: dict[str, list[float]] = {name: [] for name in chosen}
        for number in range(job.rounds):
            for team in teams:
                seconds[team.name].append(team.turn() / job.steps)
            say(f'round {number + 1} of {job.rounds}')
        traced = [team.trace(TRACED_STEPS) for team in teams if team.name == PIPELINE]
        for team in teams:
            team.close()
    # Last, when no team is there any more that would share the machine.
    simulated = predict(job) if job.simulate else {}
    return Throughput(
        job=job, trace=traced[0] if traced else (), simulated=simulated,
        strategies=tuple(Timed(name=name, seconds=tuple(values))
                         for name, values in seconds.items()))


def _member(link: Connection, name: str, job: Job, rank: int, ranks: int, store: str) -> None:
    """Serve turns in a process of its own, with one thread."""
    try:
        strategy = _built(name, job, rank, ranks, store)
        link.send(0.0)
        while True:
            try:
                request = link.recv()
            except EOFError:
                break
            if isinstance(request, int):
                link.send(strategy.traced(request))
                continue
            start = time.perf_counter()
            for _ in range(job.steps):
                strategy.step()
            strategy.finish()
            link.send(time.perf_counter() - start)
    except Exception as error:
        if os.environ.get(DEBUG):
            traceback.print_exc()
        link.send(f'{type(error).__name__}: {error}')
        return
    strategy.close()  # Nobody listens any more.


def _built(name: str, job: Job, rank: int, ranks: int, store: str) -> Any:
    import torch
    import torch.distributed as dist

    from auglocal_mm.console.host_chatter import import_hosts

    logging.disable(logging.INFO)
    warnings.simplefilter('ignore')
    torch.set_num_threads(1)
    import_hosts('mmpretrain.datasets', 'mmpretrain.models')
    if ranks > 1:
        dist.init_process_group('gloo', f'file://{store}', rank=rank, world_size=ranks)
    from auglocal_mm.engine.options import load_config

    from .strategies import STRATEGIES
    local = load_config(job.local, cfg_options=dict(job.options))
    return STRATEGIES[name](local, load_config(job.bp), job.size, ranks)
