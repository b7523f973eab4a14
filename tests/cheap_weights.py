"""Weights of large networks whose values do not matter, drawn in a fraction of the time."""
from __future__ import annotations

from typing import Any

import pytest
import torch

#: Rows of a weight that are drawn; further ones repeat them.
ROWS = 64


def repeat_rows(patch: pytest.MonkeyPatch) -> None:
    """Draw the first rows of each linear layer and convolution, which others repeat.

    ImageNet's VGG has a hundred million weights in its linear layers: drawing them takes longer
    than everything that the tests do with them.
    """
    draw = torch.nn.init.kaiming_uniform_

    def drawn(tensor: torch.Tensor, *settings: Any, **named: Any) -> torch.Tensor:
        with torch.no_grad():
            first = draw(tensor[:ROWS], *settings, **named)
            for rows in tensor[ROWS:].split(ROWS):
                rows.copy_(first[:len(rows)])
        return tensor

    patch.setattr('torch.nn.init.kaiming_uniform_', drawn)
