"""What a rank has of a model that it built in part."""
from __future__ import annotations

from dataclasses import dataclass

from .hollow import HollowTensors


@dataclass(frozen=True)
class Share:
    """How a model was built without large weights of other stages.

    Attributes:
        hollow: The mode. Whatever prepares the model before the first step runs inside it.
        stages: The modules of each stage.
    """
    hollow: HollowTensors
    stages: tuple[range, ...]
