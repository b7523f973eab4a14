"""Collects the results of a finished run and the evidence for its report."""
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from auglocal_mm.files import read_json, read_json_list
from auglocal_mm.lab.curves.curves import read_curves
from auglocal_mm.lab.demo.results import DETECTION_KEYS, METHODS, check_results
from auglocal_mm.lab.measure.system import hardware, versions
from auglocal_mm.lab.scenes.scenes import collect_scenes

from .commands import load_config
from .run_folder import RunFolder

TASKS = ('classification', 'detection')
SCENES_SHOWN = 6


def collect_results(
    run: RunFolder, *, seed: int, seconds: Mapping[str, float], cpu_seconds: Mapping[str, float]
) -> dict[str, Any]:
    """Return the content of ``results.json``.

    Args:
        run: The finished run.
        seed: Seed of its trainings.
        seconds: Step or command to wall-clock seconds, with ``total``.
        cpu_seconds: Step to processor-seconds of its commands, with ``total``.

    Raises:
        ValueError: Names every number that is missing or impossible.
    """
    detection = {method: run.metrics('detection', method) for method in METHODS}
    return check_results({
        'classification': {
            method: {'top1': run.top1(method)} for method in METHODS},
        'detection': {
            # None for a missing number: check_results names all of them at once.
            method: {key: detection[method].get(f'coco/{key}') for key in DETECTION_KEYS}
            for method in METHODS},
        'memory': {
            method: {'saved_activations_mb':
                     read_json(run.measured(method)).get('saved_activations_mb')}
            for method in METHODS},
        'seconds': {name: round(value, 1) for name, value in seconds.items()},
        'cpu_seconds': {name: round(value, 1) for name, value in cpu_seconds.items()},
        'seed': seed,
        'versions': versions(),
        'hardware': hardware(),
        'command': f'python tools/demo.py --seed {seed}',
        'finished': datetime.now(timezone.utc).strftime('%Y-%m-%d %H:%M UTC'),
        'run': run.path.name,
    })


def collect_evidence(run: RunFolder, *, commands: Sequence[str]) -> dict[str, Any]:
    """Return what the pictures of the report are drawn from."""
    measured = read_json(run.measured('auglocal'))
    return {
        'curves': {
            task: {method: read_curves(run.work_dir(task, method)).to_dict()
                   for method in METHODS}
            for task in TASKS},
        'local_accuracy': {key: measured[key] for key in ('accuracy', 'samples', 'plan')},
        'batch_size': measured['batch_size'],
        'settings': {task: _settings(task, run=run) for task in TASKS},
        'scenes': _scenes(run),
        'commands': list(commands),
    }


def _settings(task: str, *, run: RunFolder) -> str:
    config = load_config(task, 'auglocal', run=run)
    optimizer = config.optim_wrapper.optimizer
    facts = [
        f'{config.train_cfg.max_epochs} epochs, batch of {config.train_dataloader.batch_size}, '
        f'{optimizer.type}, learning rate {optimizer.lr}, '
        f'weight decay {optimizer.get("weight_decay", 0)}; the same for both.',
    ]
    if task == 'classification':
        local = config.model.local
        facts.append(f'AugLocal: auxiliary depth d = {local.depth}, '
                     f'pyramidal coefficient τ = {local.get("tau", 0)}.')
    return ' '.join(facts)


def _scenes(run: RunFolder) -> dict[str, Any]:
    dataset = load_config('detection', 'auglocal', run=run).test_dataloader.dataset
    data_root = run.root / Path(dataset.data_root)
    return collect_scenes(
        read_json(data_root / 'annotations' / 'instances_val.json'),
        image_dir=data_root / 'val', count=SCENES_SHOWN,
        predictions={method: read_json_list(run.predictions(method)) for method in METHODS},
    )
