"""The commands that the demo runs, which are the tools that every user has."""
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from auglocal_mm.config.shipped import shipped
from auglocal_mm.lab.demo.results import METHODS
from auglocal_mm.lab.drawing.chart import NAMES
from auglocal_mm.lab.jobs import Job

from .run_folder import RunFolder

CONFIGS = {
    ('classification', 'bp'): 'configs/demo/resnet34-slim_digits_bp.py',
    ('classification', 'auglocal'): 'configs/demo/resnet34-slim_digits_auglocal.py',
    ('detection', 'bp'): 'configs/demo/mask-rcnn_digit-scenes_bp.py',
    ('detection', 'auglocal'): 'configs/demo/mask-rcnn_digit-scenes_auglocal.py',
}
#: Iterations between log lines, few enough for a live view and smooth curves.
LOG_INTERVAL = {'classification': 5, 'detection': 10}
#: Validation after every epoch, so that there is a curve to show.
VALIDATION = 'train_cfg.val_interval=1'
#: A fifth less time for the classifiers on a CPU, and the same results.
CHANNELS_LAST = 'default_hooks.channels_last.type=auglocal_mm.ChannelsLastHook'
#: Later steps read only the newest checkpoint.
KEEP_ONE = 'default_hooks.checkpoint.max_keep_ckpts=1'


def load_config(task: str, method: str, *, run: RunFolder) -> Any:
    """Return the mmengine config of a training."""
    from mmengine.config import Config

    return Config.fromfile(shipped(CONFIGS[task, method]))


def data_job() -> Job:
    """Return the job that makes the digit scenes unless they exist."""
    return Job('make_scenes', 'digit scenes',
               _python('-m', 'auglocal_mm.lab.demo.data', CONFIGS['detection', 'auglocal']))


def training_jobs(task: str, *, run: RunFolder, seed: int) -> list[Job]:
    """Return the jobs that train one network with each method."""
    configs = {method: load_config(task, method, run=run) for method in METHODS}
    return [
        Job(
            f'{task}_{method}', NAMES[method],
            _python('tools/train.py', CONFIGS[task, method],
                    '--work-dir', run.argument(run.work_dir(task, method)),
                    '--cfg-options', f'randomness.seed={seed}',
                    f'default_hooks.logger.interval={LOG_INTERVAL[task]}',
                    VALIDATION, KEEP_ONE, *_task_options(task, method, run=run)),
            epochs=config.train_cfg.max_epochs,
            work_dir=run.work_dir(task, method),
            iterations=_iterations(config.train_dataloader),
        )
        for method, config in configs.items()
    ]


def export_jobs(run: RunFolder) -> list[Job]:
    """Return the jobs that export the backbones, and measure accuracy by depth and memory."""
    jobs = []
    for method in METHODS:
        checkpoint = run.argument(run.checkpoint('classification', method))
        jobs += [
            Job(f'export_{method}', f'{NAMES[method]} export',
                _python('tools/model_converters/export_backbone.py', checkpoint,
                        run.argument(run.backbone(method)))),
            Job(f'measure_{method}', f'{NAMES[method]} test',
                _python('-m', 'auglocal_mm.lab.demo.measure', CONFIGS['classification', method],
                        checkpoint, '--out', run.argument(run.measured(method)))),
        ]
    return jobs


def detection_test_jobs(run: RunFolder) -> list[Job]:
    """Return the jobs that test each detector and keep its predictions."""
    return [
        Job(
            f'test_detection_{method}', NAMES[method],
            _python('tools/test.py', CONFIGS['detection', method],
                    run.argument(run.checkpoint('detection', method)),
                    '--work-dir', run.argument(run.test_dir('detection', method)),
                    '--cfg-options', *_backbone_option('detection', method, run=run),
                    'test_evaluator.outfile_prefix='
                    + run.argument(run.test_dir('detection', method) / 'predictions')),
        )
        for method in METHODS
    ]


def readable(jobs: Sequence[Job], *, run: RunFolder) -> list[str]:
    """Return the commands as one would type them in a clone, the run's folder written ``$RUN``."""
    home = f'{shipped("tools/demo.py").parents[1]}/'
    return [
        ' '.join(['python', *job.command[1:]]).replace(run.argument(run.path), '$RUN')
        .replace(home, '')
        for job in jobs
    ]


def _iterations(dataloader: Any) -> int | None:
    """Return the iterations of an epoch where the config tells the number of images.

    A detector's first epoch takes minutes, in which the bar would not move otherwise.
    """
    scenes = dataloader.dataset.get('scenes')
    return scenes['train'] // dataloader.batch_size if scenes else None


def _task_options(task: str, method: str, *, run: RunFolder) -> list[str]:
    if task == 'classification':
        return [CHANNELS_LAST]
    return _backbone_option(task, method, run=run)


def _backbone_option(task: str, method: str, *, run: RunFolder) -> list[str]:
    if task != 'detection':
        return []
    return [f'model.backbone.init_cfg.checkpoint={run.argument(run.backbone(method))}']


def _python(*arguments: str) -> list[str]:
    return [sys.executable, *(
        _shipped(each) if each.startswith(('tools/', 'configs/')) else each for each in arguments)]


def _shipped(name: str) -> str:
    """Return a file of this package: by its short name in a clone, by its place elsewhere."""
    path = shipped(name)
    return name if Path(name).resolve() == path else str(path)
