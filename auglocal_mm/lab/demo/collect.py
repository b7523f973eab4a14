"""Collects the results of a finished run and the evidence for its report."""
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from auglocal_mm.files import read_json, read_json_list
from auglocal_mm.lab.curves.curves import read_curves
from auglocal_mm.lab.demo.results import DETECTION_KEYS, MEMORY_KEY, check_results
from auglocal_mm.lab.measure.system import hardware, versions
from auglocal_mm.lab.scenes.scenes import collect_scenes
from auglocal_mm.rules import AugLocal, build_rule

from .commands import load_config
from .run_folder import RunFolder
from .trainings import CLASSIFIERS, DETECTORS, Training

_TASKS = {'classification': CLASSIFIERS, 'detection': DETECTORS}
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
    memory = read_json(run.measured_detectors)
    # None for a missing number: check_results names all of them at once.
    return check_results({
        'classification': {
            each.method: {'top1': run.top1(each.method)} for each in CLASSIFIERS},
        'detection': {
            each.method: {**{key: run.metrics('detection', each.method).get(f'coco/{key}')
                             for key in DETECTION_KEYS},
                          MEMORY_KEY: memory.get(Path(each.config).stem, {}).get(MEMORY_KEY)}
            for each in DETECTORS},
        'memory': {
            each.method: {MEMORY_KEY: read_json(run.measured(each.method)).get(MEMORY_KEY)}
            for each in CLASSIFIERS},
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
            task: {each.method: read_curves(run.work_dir(task, each.method)).to_dict()
                   for each in trainings}
            for task, trainings in _TASKS.items()},
        'local_accuracy': {key: measured[key] for key in ('accuracy', 'samples', 'plan')},
        'batch_size': measured['batch_size'],
        'detection_batch_size': _batch_size(run),
        'settings': {task: _settings(trainings) for task, trainings in _TASKS.items()},
        'scenes': _scenes(run),
        'commands': list(commands),
    }


def _batch_size(run: RunFolder) -> int:
    """Return the batch size of the detectors, which is the same for all."""
    return int(read_json(run.measured_detectors)[Path(DETECTORS[0].config).stem]['batch_size'])


def _settings(trainings: Sequence[Training]) -> str:
    """Describe the schedule that trainings share, and the rule of those that have one."""
    configs = [load_config(each) for each in trainings]
    config = configs[0]
    optimizer = config.optim_wrapper.optimizer
    facts = [
        f'{config.train_cfg.max_epochs} epochs, batch of {config.train_dataloader.batch_size}, '
        f'{optimizer.type}, learning rate {optimizer.lr}, '
        f'weight decay {optimizer.get("weight_decay", 0)}; the same for all.',
    ]
    for each, own in zip(trainings, configs, strict=True):
        local = own.model.get('local')
        rule = build_rule(local) if local else None  # its defaults are part of it
        if isinstance(rule, AugLocal):
            modules = f', {local.modules} modules' if 'modules' in local else ''
            facts.append(f'{each.name}: auxiliary depth d = {rule.depth}, '
                         f'pyramidal coefficient τ = {rule.tau}{modules}.')
    return ' '.join(facts)


def _scenes(run: RunFolder) -> dict[str, Any]:
    dataset = load_config(DETECTORS[0]).test_dataloader.dataset
    data_root = run.root / Path(dataset.data_root)
    return collect_scenes(
        read_json(data_root / 'annotations' / 'instances_val.json'),
        image_dir=data_root / 'val', count=SCENES_SHOWN,
        predictions={each.method: read_json_list(run.predictions(each.method))
                     for each in DETECTORS},
    )
