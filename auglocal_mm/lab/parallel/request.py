"""What a user asks the planning tool for, checked before anything is counted."""
from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auglocal_mm.files import read_json
from auglocal_mm.lab.measure.benchmark.settings import Settings, require_device
from auglocal_mm.plan import Assignment
from auglocal_mm.validation import Faults

from .compare import Cluster, Comparison
from .costs import ModelCosts, config_name
from .measurement import Measurement, model_options
from .network import Network
from .report import Report

GIB = 2**30
#: Numbers of workers in the tables.
WORKERS = tuple(2**power for power in range(11))
#: Workers of the plan in detail, if nobody asks for another number.
_RANKS = 4
#: Multiply-adds per second of a worker, if nobody states them.
_SPEED = 1e12
#: Options that change what is counted.
_COUNTED = ('batch_size', 'shape', 'cfg_options', 'flops_per_second')


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request.

    Attributes:
        config: The config.
        settings: How its model is built and measured.
        speed: Multiply-adds per second of a worker.
        cluster: The workers.
        workers: Numbers of workers in the tables.
        ranks: Workers of the plan that is shown in detail; ``None`` for 4.
        stages: Its stages; ``None`` for one on each rank, or the fastest split of more ranks
            than modules.
        costs_file: Costs to read instead of counting.
        measure: Whether modules are timed.
        measured: What a benchmark measured, to compare the simulation with.
    """
    config: str
    settings: Settings
    speed: float
    cluster: Cluster
    workers: tuple[int, ...]
    ranks: int | None = None
    stages: int | None = None
    costs_file: Path | None = None
    measure: bool = False
    measured: Measurement | None = None

    def __post_init__(self) -> None:
        faults = Faults('the plan')
        for option, value in (('--ranks', self.ranks), ('--stages', self.stages),
                              *(('--workers', each) for each in self.workers)):
            faults.add_unless(value is None or value >= 1,
                              f'{option} must be at least 1, got {value}')
        if self.ranks and self.stages and self.ranks > 0 and self.stages > 0:
            faults.add_unless(
                self.ranks % self.stages == 0,
                f'--ranks must be a multiple of --stages, so that each stage has as many '
                f'replicas, got {self.ranks} and {self.stages}')
        if self.measured is not None:
            name = config_name(self.config)
            faults.add_unless(
                self.measured.config == name,
                f'--measured was measured with {self.measured.config}, got {name}; give that '
                'config')
            # Costs of a file were counted with options that nobody knows here.
            faults.add_unless(
                self.costs_file is not None
                or self.measured.options == model_options(self.settings.options),
                f'--measured was measured with {_named(self.measured.options)}, got '
                f'{_named(model_options(self.settings.options))}; give the same')
        faults.raise_if_any()

    @classmethod
    def of(cls, args: Namespace) -> Request:
        """Read the options of ``plan_parallel.py``.

        Raises:
            FileError: The file of measurements holds none.
            ValueError: One of them is impossible, or another config was measured.
        """
        ignored = [f'--{name.replace("_", "-")}' for name in _COUNTED if getattr(args, name)]
        if args.costs and ignored:
            raise ValueError(f'--costs reads costs that were counted before, so {ignored[0]} would '
                             'have no effect; leave out one of the two')
        network = Network(bandwidth=args.bandwidth * 1e9, latency=args.latency * 1e-6,
                          rendezvous=args.rendezvous)
        limit = None if args.memory_limit is None else args.memory_limit * GIB
        speed = _SPEED if args.flops_per_second is None else args.flops_per_second
        return cls(
            config=args.config, speed=speed, ranks=args.ranks, stages=args.stages,
            settings=Settings(batch_size=args.batch_size, shape=args.shape, device=args.device,
                              threads=args.threads, rounds=args.rounds, options=args.cfg_options),
            cluster=Cluster(network=network, queue=args.queue, micro=args.micro_batches,
                            limit=limit),
            workers=tuple(sorted({*(args.workers or [*WORKERS, args.ranks or 1])})),
            costs_file=args.costs, measure=args.measure,
            measured=None if args.measured is None else Measurement.read(args.measured))

    def costs(self) -> ModelCosts:
        """Read, count or measure the costs.

        Raises:
            FileNotFoundError: There is no such config, or file of costs.
            ValueError: The file's costs are another config's, or another number of images was
                measured.
        """
        if self.costs_file is not None:
            costs = ModelCosts.from_dict(read_json(self.costs_file), str(self.costs_file))
            name = config_name(self.config)
            if costs.config and costs.config != name:
                raise ValueError(f'{self.costs_file} holds the costs of {costs.config}, got '
                                 f'{name}; give that config, or count again without --costs')
            return self._as_measured(costs)
        from .counted import counted_costs
        if self.measure:
            require_device(self.settings.device)
        costs = self._as_measured(counted_costs(self.config, self.settings, self.speed))
        if not self.measure:
            return costs
        from .measured import measured_costs
        return measured_costs(self.config, self.settings, costs)

    def _as_measured(self, costs: ModelCosts) -> ModelCosts:
        """Return costs, if they are of as many images as were measured."""
        if self.measured is not None and self.measured.batch_size != costs.batch_size:
            raise ValueError(
                f'--measured was measured with {self.measured.batch_size} images per step, got '
                f'{costs.batch_size}; give --batch-size {self.measured.batch_size}')
        return costs

    def report(self, costs: ModelCosts) -> Report:
        """Simulate what was asked for.

        Raises:
            ValueError: The model has too few modules or images for it.
        """
        comparison = Comparison(costs, self.cluster)
        return Report.make(comparison, self.workers, self.assignment(comparison),
                           measured=self.measured)

    def assignment(self, comparison: Comparison) -> Assignment:
        """Return the assignment to show.

        Raises:
            ValueError: There are too few modules or images for it, or too little memory.
        """
        costs = comparison.costs
        most = len(costs.ends)
        if self.stages is not None:
            ranks = self.ranks or self.stages
            _require_images(ranks // self.stages, costs)
            if self.stages > most:
                raise ValueError(f'--stages must be at most {most}, the number of modules that a '
                                 f'stage may end with, got {self.stages}')
            return comparison.local_stages(self.stages, replicas=ranks // self.stages)
        ranks = self.ranks or min(_RANKS, most)
        if ranks <= most:
            return comparison.local_stages(ranks)
        _require_images(-(-ranks // most), costs)
        hybrid = comparison.results(ranks).get('local_hybrid')
        if hybrid is None:
            raise ValueError(
                f'--ranks {ranks} cannot be split into stages and replicas for {most} modules and '
                f'{costs.batch_size} images; choose a multiple of a smaller number, set --stages, '
                'or raise --memory-limit')
        return comparison.local_stages(hybrid.stages, replicas=hybrid.replicas)


def _named(options: Mapping[str, Any]) -> str:
    told = ' '.join(f'{key}={value}' for key, value in options.items())
    return f'--cfg-options {told}' if told else 'no options of the model'


def _require_images(replicas: int, costs: ModelCosts) -> None:
    if replicas > costs.batch_size:
        raise ValueError(f'{replicas} replicas must share a batch of {costs.batch_size} images; '
                         'choose fewer --ranks, more --stages or a larger --batch-size')

