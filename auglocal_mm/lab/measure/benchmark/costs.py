"""What a benchmarked model costs, counted rather than measured."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Parameters and multiply-adds of a model.

    Attributes:
        backbone_params: Parameters of the plain model: backbone, neck and heads.
        auxiliary_params: Parameters of auxiliary networks.
        backbone_flops: Multiply-adds of the plain model for one image; ``None`` where nobody
            counts them.
        flops: Multiply-adds with auxiliary networks; ``None`` likewise.
    """
    backbone_params: int
    auxiliary_params: int
    backbone_flops: int | None = None
    flops: int | None = None

    @property
    def params(self) -> int:
        """Parameters of everything."""
        return self.backbone_params + self.auxiliary_params
