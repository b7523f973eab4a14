"""What the demo trains: two classifiers, then three detectors on their backbones."""
from __future__ import annotations

from dataclasses import dataclass

from auglocal_mm.lab.drawing.chart import COLORS, LOCAL_DETECTOR


@dataclass(frozen=True)
class Training:
    """One training of the demo.

    Attributes:
        task: ``classification`` or ``detection``.
        method: Its key in results, styles and names of files; unique within the task.
        name: What the report calls it.
        label: The same for the console's bars, in at most 12 characters.
        config: Its config.
        color: Of its lines and bars; a colour of :mod:`auglocal_mm.lab.drawing.chart`.
        width: Of its lines. The first ones are drawn below and wider, so that they show
            where lines coincide.
        seconds: Usual run time on a free core. The longest training starts first.
        backbone: Method of the classifier whose exported backbone it starts from; empty for
            random weights.
    """

    task: str
    method: str
    name: str
    label: str
    config: str
    color: str
    width: float
    seconds: int
    backbone: str = ''


TRAININGS = (
    Training('classification', 'bp', 'BP', 'BP', 'configs/demo/resnet34-slim_digits_bp.py',
             COLORS['bp'], 3.4, 28),
    Training('classification', 'auglocal', 'AugLocal', 'AugLocal',
             'configs/demo/resnet34-slim_digits_auglocal.py', COLORS['auglocal'], 1.9, 71),
    Training('detection', 'bp', 'BP', 'BP', 'configs/demo/mask-rcnn_digit-scenes_bp.py',
             COLORS['bp'], 3.4, 182, backbone='bp'),
    Training('detection', 'auglocal', 'AugLocal', 'AugLocal',
             'configs/demo/mask-rcnn_digit-scenes_auglocal.py', COLORS['auglocal'], 1.9, 182,
             backbone='auglocal'),
    Training('detection', 'local', 'AugLocal, detector too', 'AugLocal too',
             'configs/demo/mask-rcnn_digit-scenes_local.py', LOCAL_DETECTOR, 1.9, 280,
             backbone='auglocal'),
)


def trainings_of(task: str) -> tuple[Training, ...]:
    """Return the trainings of a task in the order in which they are shown."""
    return tuple(each for each in TRAININGS if each.task == task)


CLASSIFIERS, DETECTORS = trainings_of('classification'), trainings_of('detection')
