"""The commands that the demo runs, which are the tools that every user has."""
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from auglocal_mm.config.shipped import shipped
from auglocal_mm.lab.jobs import Job

from .run_folder import RunFolder
from .trainings import CLASSIFIERS, DETECTORS, Training

#: Iterations between log lines, few enough for a live view and smooth curves.
LOG_INTERVAL = {'classification': 5, 'detection': 10}
#: Validation after every epoch, so that there is a curve to show.
VALIDATION = 'train_cfg.val_interval=1'
#: A fifth less time for the classifiers on a CPU, and the same results.
CHANNELS_LAST = 'default_hooks.channels_last.type=auglocal_mm.ChannelsLastHook'
#: Later steps read only the newest checkpoint.
KEEP_ONE = 'default_hooks.checkpoint.max_keep_ckpts=1'


def load_config(training: Training) -> Any:
    """Return the mmengine config of a training."""
    from mmengine.config import Config

    return Config.fromfile(shipped(training.config))


def data_job() -> Job:
    """Return the job that makes the digit scenes unless they exist."""
    return Job('make_scenes', 'digit scenes',
               _python('-m', 'auglocal_mm.lab.demo.data', DETECTORS[0].config))


def training_jobs(trainings: Sequence[Training], *, run: RunFolder, seed: int) -> list[Job]:
    """Return the jobs of trainings, the longest first: what starts last ends last otherwise."""
    ordered = sorted(trainings, key=lambda training: training.seconds, reverse=True)
    return [_training_job(training, run=run, seed=seed) for training in ordered]


def _training_job(training: Training, *, run: RunFolder, seed: int) -> Job:
    config = load_config(training)
    work_dir = run.work_dir(training.task, training.method)
    return Job(
        f'{training.task}_{training.method}', training.label,
        _python('tools/train.py', training.config, '--work-dir', run.argument(work_dir),
                '--cfg-options', f'randomness.seed={seed}',
                f'default_hooks.logger.interval={LOG_INTERVAL[training.task]}',
                VALIDATION, KEEP_ONE, *_task_options(training, run=run)),
        epochs=config.train_cfg.max_epochs, work_dir=work_dir,
        iterations=_iterations(config.train_dataloader))


def export_jobs(run: RunFolder) -> list[Job]:
    """Return the jobs that export the backbones, and measure accuracy by depth and memory."""
    jobs = []
    for training in CLASSIFIERS:
        method = training.method
        checkpoint = run.argument(run.checkpoint('classification', method))
        jobs += [
            Job(f'export_{method}', f'{training.label} export',
                _python('tools/model_converters/export_backbone.py', checkpoint,
                        run.argument(run.backbone(method)))),
            Job(f'measure_{method}', f'{training.label} test',
                _python('-m', 'auglocal_mm.lab.demo.measure', training.config,
                        checkpoint, '--out', run.argument(run.measured(method)))),
        ]
    return jobs


def detection_test_jobs(run: RunFolder) -> list[Job]:
    """Return the jobs that test each detector, keep its predictions, and measure memory."""
    # The config in a work directory holds what the command line of the training said.
    configs = [run.argument(run.work_dir('detection', each.method) / Path(each.config).name)
               for each in DETECTORS]
    return [
        *(_test_job(each, test_dir=run.test_dir('detection', each.method), run=run)
          for each in DETECTORS),
        Job('measure_detectors', 'Memory',
            _python('-m', 'auglocal_mm.lab.demo.measure_detectors', *configs,
                    '--out', run.argument(run.measured_detectors))),
    ]


def _test_job(detector: Training, *, test_dir: Path, run: RunFolder) -> Job:
    return Job(
        f'test_detection_{detector.method}', detector.label,
        _python('tools/test.py', detector.config,
                run.argument(run.checkpoint('detection', detector.method)),
                '--work-dir', run.argument(test_dir),
                '--cfg-options', _backbone_option(detector, run=run),
                f'test_evaluator.outfile_prefix={run.argument(test_dir / "predictions")}'))


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


def _task_options(training: Training, *, run: RunFolder) -> list[str]:
    return [_backbone_option(training, run=run)] if training.backbone else [CHANNELS_LAST]


def _backbone_option(detector: Training, *, run: RunFolder) -> str:
    return f'model.backbone.init_cfg.checkpoint={run.argument(run.backbone(detector.backbone))}'


def _python(*arguments: str) -> list[str]:
    return [sys.executable, *(
        _shipped(each) if each.startswith(('tools/', 'configs/')) else each for each in arguments)]


def _shipped(name: str) -> str:
    """Return a file of this package: by its short name in a clone, by its place elsewhere."""
    path = shipped(name)
    return name if Path(name).resolve() == path else str(path)
