"""Command line of the reproduction."""
from __future__ import annotations

import argparse
import os
import shlex
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from auglocal_mm.console.live import LiveLines
from auglocal_mm.console.tool import add_debug
from auglocal_mm.lab.jobs import child_environment
from auglocal_mm.lab.measure.system import usable_cores

from .check_runs import check_data_of
from .collect import collect
from .console import Console
from .execute import Execution, only_one
from .plan_runs import plan_runs
from .publish import publish
from .run import Run
from .settings import Settings
from .table import Table
from .tables import TABLES, find_table

EXIT_FAILED, EXIT_INTERRUPTED = 1, 130


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the options."""
    parser = argparse.ArgumentParser(
        description='Train what one of the paper\'s tables still lacks, and write the table with '
                    'the paper\'s figures beside ours. Run it again after an interruption.',
        epilog='Exit status: 0 no run failed, 1 a run failed, 2 impossible settings.')
    add = parser.add_argument
    add('table', metavar='TABLE', help=f'one of {", ".join(TABLES)}')
    add('--data', type=Path, default=Path('data'), metavar='ROOT',
        help='folder with cifar10/ (or imagenet/ and coco/), or a folder of '
             'train/<class>/ and test/<class>/ images (data)')
    add('--epochs-scale', type=float, default=1.0, metavar='S',
        help="factor on each schedule's length (1)")
    add('--seeds', type=int, default=3, metavar='N', help='runs of each row (3)')
    add('--only', metavar='ROW,…', help='only these rows')
    add('--gpus', type=int, metavar='G',
        help='GPUs to use, one run on each (default: all; without any, the CPU)')
    add('--jobs', type=int, default=1, metavar='J', help='runs at once without a GPU (1)')
    add('--batch-size', type=int, metavar='B',
        help="images per step; the learning rate scales in proportion (the paper's)")
    add('--images-per-class', type=int, metavar='N',
        help='training images of each class; needs a folder of images (all)')
    add('--amp', action='store_true', help='mixed precision')
    add('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
        help='more settings, the same for every run')
    add('--work-dir', type=Path, metavar='DIR',
        help='where runs and tables go (work_dirs/reproduce/<settings>)')
    add('--dry-run', action='store_true', help='show what would run, and start nothing')
    add('--only-report', action='store_true',
        help='start nothing; write the table from existing runs')
    add_debug(parser)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None, *, root: Path) -> int:
    """Run what a table lacks and write it.

    Args:
        arguments: The options; by default those of the process.
        root: Folder that holds ``tools/`` and ``configs/``.

    Returns:
        Exit status.

    Raises:
        ValueError: Settings are impossible; nothing was started.
        MissingDataError: Data is missing; nothing was started.
    """
    options = parse(arguments)
    table = find_table(options.table).select(options.only.split(',') if options.only else None)
    settings = Settings(
        data=options.data, epochs_scale=options.epochs_scale, seeds=options.seeds,
        batch_size=options.batch_size, images_per_class=options.images_per_class,
        amp=options.amp, extra=tuple(options.cfg_options))
    work_dir = options.work_dir or Path('work_dirs/reproduce') / settings.folder_name
    devices = _devices(options.gpus)
    runs = plan_runs(table, settings, root=root, runs_dir=work_dir / 'runs',
                     devices=devices)
    for run in runs:
        run.check()
    text = LiveLines(plain_seconds=60.0)
    if options.dry_run:
        _show_plan(text, table, settings, runs)
        return 0
    environments = _environments(table, devices, options.jobs, root=root)
    if not options.only_report:
        check_data_of(runs)
    with only_one(work_dir) as lock:
        failed = False
        if not options.only_report:
            failed = _execute(runs, text, environments=environments, lock=lock)
        result = collect(table, settings, runs)
        folder = publish(table, result, runs, work_dir / _folder_name(table))
    text.say('\n' + (folder / 'table.md').read_text(encoding='utf-8'))
    text.say(f'report: {folder / "report.html"}')
    return EXIT_FAILED if failed else 0


def _folder_name(table: Table) -> str:
    """Name the folder of a table; a selection gets its own and never replaces the table."""
    rows = f'_{"_".join(row.name for row in table.rows)}' if table.selected else ''
    return f'table-{table.name}{rows}'


def _devices(wanted: int | None) -> int:
    """Return the number of GPUs to use.

    Raises:
        ValueError: More are requested than there are.
    """
    import torch

    there = torch.cuda.device_count()
    if wanted is not None and not 0 <= wanted <= there:
        raise ValueError(f'--gpus must be 0 to {there}, the number found, got {wanted}')
    return there if wanted is None else wanted


def _environments(table: Table, devices: int, jobs: int, *, root: Path) -> list[dict[str, str]]:
    """Return one environment per concurrent run.

    Raises:
        ValueError: There would be no run at all.
    """
    if jobs < 1:
        raise ValueError(f'--jobs must be at least 1, got {jobs}')
    if devices == 0:
        # Hidden, so that --gpus 0 means the CPU on a machine with GPUs.
        threads = max(1, usable_cores() // jobs)
        return [child_environment(root, threads=threads, devices='') for _ in range(jobs)]
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    # Among the devices that are visible here, which need not start at 0.
    names = (visible.split(',') if visible else [str(index) for index in range(devices)])[:devices]
    threads = max(1, usable_cores() // devices)
    # A detector trains on all of them, so only one run fits at a time.
    together = any(row.detector for row in table.rows)
    return [child_environment(root, threads=threads, devices=each)
            for each in ([','.join(names)] if together else names)]


def _show_plan(text: LiveLines, table: Table, settings: Settings, runs: Sequence[Run]) -> None:
    text.say(f'Table {table.name}: {table.title}')
    text.say('Settings: ' + ('; '.join(settings.departures) or "the paper's"))
    for run in runs:
        text.say(f'\n{run.label} [{run.state}] in {run.folder}')
        for step in run.steps:
            text.say(f'  {"done: " if step.done() else ""}{shlex.join(step.command())}')


def _execute(runs: Sequence[Run], text: LiveLines, *, environments: list[dict[str, str]],
             lock: int) -> bool:
    """Execute the runs and tell whether one failed.

    Raises:
        KeyboardInterrupt: Interrupted; everything that was running has been stopped.
    """
    done = [run for run in runs if run.state == 'done']
    execution = Execution(runs, environments=environments, cwd=Path.cwd(), lock=lock)
    console = Console(text, done_before=done, total=len(runs))
    # SIGHUP as well: a closed terminal must not leave trainings behind.
    stops = signal.SIGTERM, signal.SIGHUP
    before = [signal.signal(each, _raise_interrupt) for each in stops]
    try:
        with text:
            execution.execute(console.watch)
    finally:
        for each, handler in zip(stops, before, strict=True):
            signal.signal(each, handler)
    return bool(execution.failures)


def _raise_interrupt(*_: Any) -> NoReturn:
    raise KeyboardInterrupt
