"""Command line of the reproduction."""
from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from auglocal_mm.console.live import LiveLines
from auglocal_mm.console.tool import add_debug
from auglocal_mm.lab.runs.devices import devices_to_use, environments
from auglocal_mm.lab.runs.drive import EXIT_FAILED, EXIT_INTERRUPTED, drive
from auglocal_mm.lab.runs.execute import only_one
from auglocal_mm.lab.runs.run import Run

from .check_runs import check_data_of
from .collect import collect
from .plan_runs import plan_runs
from .publish import publish
from .settings import Settings
from .table import Table
from .tables import TABLES, find_table

__all__ = ['EXIT_FAILED', 'EXIT_INTERRUPTED', 'main', 'parse']


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
    devices = devices_to_use(options.gpus)
    runs = plan_runs(table, settings, root=root, runs_dir=work_dir / 'runs',
                     devices=devices)
    for run in runs:
        run.check()
    text = LiveLines(plain_seconds=60.0)
    if options.dry_run:
        _show_plan(text, table, settings, runs)
        return 0
    slots = environments(devices, options.jobs, root=root,
                         # A detector trains on all of them.
                         together=any(row.detector for row in table.rows))
    if not options.only_report:
        check_data_of(runs)
    with only_one(work_dir, tool='tools/reproduce.py') as lock:
        failed = False
        if not options.only_report:
            failed = drive(runs, text, environments=slots, lock=lock)
        result = collect(table, settings, runs)
        folder = publish(table, result, runs, work_dir / _folder_name(table))
    text.say('\n' + (folder / 'table.md').read_text(encoding='utf-8'))
    text.say(f'report: {folder / "report.html"}')
    return EXIT_FAILED if failed else 0


def _folder_name(table: Table) -> str:
    """Name the folder of a table; a selection gets its own and never replaces the table."""
    rows = f'_{"_".join(row.name for row in table.rows)}' if table.selected else ''
    return f'table-{table.name}{rows}'


def _show_plan(text: LiveLines, table: Table, settings: Settings, runs: Sequence[Run]) -> None:
    text.say(f'Table {table.name}: {table.title}')
    text.say('Settings: ' + ('; '.join(settings.departures) or "the paper's"))
    for run in runs:
        text.say(f'\n{run.label} [{run.state}] in {run.folder}')
        for step in run.steps:
            text.say(f'  {"done: " if step.done() else ""}{shlex.join(step.command())}')
