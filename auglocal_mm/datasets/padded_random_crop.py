"""Random crops whose border is what the config says."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mmcv
from mmpretrain.datasets.transforms import RandomCrop

from auglocal_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class PaddedRandomCrop(RandomCrop):
    """mmpretrain's ``RandomCrop``, with a `padding_mode` that holds for `padding` as well.

    mmpretrain uses `padding_mode` for ``pad_if_needed`` alone. It pads by a constant, which is
    black by default, whatever the mode.

    Args:
        crop_size: As for ``RandomCrop``.
        padding: As for ``RandomCrop``; pixels are added in every mode.
        **kwargs: Other arguments of ``RandomCrop``.
    """

    def __init__(self, crop_size: Sequence[int] | int,
                 padding: Sequence[int] | int | None = None, **kwargs: Any) -> None:
        # Not handed on, because the base class would pad a second time.
        super().__init__(crop_size, **kwargs)
        self.border = padding

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pad and crop the image."""
        if self.border is not None:
            results['img'] = mmcv.impad(results['img'], padding=self.border, pad_val=self.pad_val,
                                        padding_mode=self.padding_mode)
        return super().transform(results)
