"""Command line of transfer."""
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
from auglocal_mm.lab.runs.schedule import scale_schedule

from .backbones import parse_backbones
from .collect import collect
from .detector import Detector, read_detector
from .plan import plan_runs, require_same_settings
from .publish import publish
from .validation_set import read_validation_set

__all__ = ['EXIT_FAILED', 'EXIT_INTERRUPTED', 'main', 'parse']


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the options."""
    parser = argparse.ArgumentParser(
        description='Train the same detector on several exported backbones and compare what they '
                    'find. Run it again after an interruption.',
        epilog='Exit status: 0 no run failed, 1 a run failed, 2 impossible settings.')
    add = parser.add_argument
    add('backbones', nargs='+', metavar='BACKBONE',
        help='a file that export_backbone.py wrote, or NAME=FILE')
    add('--detector', required=True, metavar='CONFIG', help='config of an mmdet detector')
    add('--frozen', action='store_true',
        help='train neck and heads only: the backbone and its norms stay as they are')
    add('--seeds', type=int, default=1, metavar='N', help='runs of each backbone (1)')
    add('--epochs-scale', type=float, default=1.0, metavar='S',
        help="factor on the schedule's length (1)")
    add('--gpus', type=int, metavar='G',
        help='GPUs of each run (1 if there is any, else the CPU)')
    add('--jobs', type=int, default=1, metavar='J', help='runs at once without a GPU (1)')
    add('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
        help='more settings, the same for every run')
    add('--work-dir', type=Path, metavar='DIR',
        help='where runs and report go (work_dirs/transfer/<config>, with _frozen)')
    add('--dry-run', action='store_true', help='show what would run, and start nothing')
    add('--only-report', action='store_true',
        help='start nothing; write the report from existing runs')
    add_debug(parser)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None, *, root: Path) -> int:
    """Train what is missing and write the report.

    Args:
        arguments: The options; by default those of the process.
        root: Folder that holds ``tools/``.

    Returns:
        Exit status.

    Raises:
        ValueError, FileNotFoundError, CheckpointError: Settings are impossible, or something is
            missing; nothing was started.
    """
    options = parse(arguments)
    backbones = parse_backbones(options.backbones)
    if options.seeds < 1:
        raise ValueError(f'--seeds must be at least 1, got {options.seeds}')
    if options.work_dir is not None and options.work_dir.is_file():
        raise ValueError(f'--work-dir must be a folder, got the file {options.work_dir}')
    # Before the data is looked at, which takes longer.
    for backbone in backbones:
        backbone.weights()
    detector = _detector(options)
    detector.require_fit(backbones)
    validation = read_validation_set(detector)
    devices = (min(1, devices_to_use(None)) if options.gpus is None
               else devices_to_use(options.gpus))
    work_dir = options.work_dir or Path('work_dirs/transfer') / (
        Path(options.detector.rpartition('::')[2]).stem + ('_frozen' if options.frozen else ''))
    runs = plan_runs(backbones, detector, validation, seeds=options.seeds, root=root,
                     work_dir=work_dir, ranks=max(1, devices))
    require_same_settings(runs)
    text = LiveLines(plain_seconds=60.0)
    if options.dry_run:
        _show_plan(text, runs)
        return 0
    slots = environments(devices, options.jobs, root=root, together=True)
    with only_one(work_dir, tool='tools/transfer.py') as lock:
        failed = not options.only_report and drive(runs, text, environments=slots, lock=lock)
        publish(collect(backbones, detector, validation, runs), validation, runs, work_dir)
    text.say('\n' + (work_dir / 'results.md').read_text(encoding='utf-8'))
    text.say(f'report: {work_dir / "report.html"}')
    return EXIT_FAILED if failed else 0


def _detector(options: argparse.Namespace) -> Detector:
    """Read the detector, at another length of its schedule if that is asked for."""
    if not 0 < options.epochs_scale <= 1:
        raise ValueError('--epochs-scale must be above 0 and at most 1, got '
                         f'{options.epochs_scale:g}')
    detector = read_detector(options.detector, options.cfg_options, frozen=options.frozen)
    if options.epochs_scale == 1:
        return detector
    if detector.epochs is None:
        raise ValueError(f'--epochs-scale needs a schedule in epochs, but {options.detector} '
                         'counts iterations; set its length by --cfg-options')
    scaled = [*scale_schedule(detector.cfg, options.epochs_scale), *options.cfg_options]
    return read_detector(options.detector, scaled, frozen=options.frozen)


def _show_plan(text: LiveLines, runs: Sequence[Run]) -> None:
    for run in runs:
        text.say(f'\n{run.label} [{run.state}] in {run.folder}')
        for step in run.steps:
            text.say(f'  {"done: " if step.done() else ""}{shlex.join(step.command())}')
