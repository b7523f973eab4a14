"""How a family's detector is trained: whole, or its backbone by local losses."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mmengine.optim import OptimWrapper

from auglocal_mm.engine import AugLocalOptimWrapper


@dataclass(frozen=True)
class Training:
    """One way to train any detector.

    Attributes:
        model: From the config of the plain model to that of the model to train.
        wrapper: Class of the optimizer wrapper.
    """

    model: Callable[[Mapping[str, Any]], dict[str, Any]]
    wrapper: type[OptimWrapper]


def _local(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the model with the settings that docs/detection.md names."""
    return {**model, 'type': 'auglocal_mm.LocalDetector', 'detector': model['type'],
            # Each stage a module: every stage's output is cut, whatever the backbone.
            'local': {'type': 'auglocal_mm.AugLocal', 'depth': 2, 'modules': 'stages'},
            'local_loss': 'detection'}


#: Name of each way, as results call it.
TRAININGS: dict[str, Training] = {
    'plain': Training(dict, OptimWrapper),
    'local': Training(_local, AugLocalOptimWrapper),
}
