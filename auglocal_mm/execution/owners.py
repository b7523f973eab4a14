"""Which parameters each module trains."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn


class ParameterOwners:
    """Remembers each module's parameters until it is told to forget them.

    Averaging over ranks asks for them after every backward pass. Copies of the model start
    with an empty record, so they never see the original's parameters.
    """

    def __init__(self) -> None:
        self._of: dict[int, list[nn.Parameter]] = {}

    def __reduce__(self) -> tuple[type[ParameterOwners], tuple[()]]:
        return ParameterOwners, ()

    def forget(self) -> None:
        """Forget all, because parameters may have been replaced."""
        self._of = {}

    def parameters(self, model: Any, module: int) -> list[nn.Parameter]:
        """Return the parameters that a module is the last to train, frozen ones included.

        These are its units', its auxiliary networks', and in the last module everything
        of the model that is neither (neck and heads).
        """
        if module not in self._of:
            self._of[module] = self._find(model, module)
        return self._of[module]

    @staticmethod
    def buffers(model: Any, module: int) -> list[Tensor]:
        """Return the buffers that a module's forward pass may write, by the same division."""
        plan = model.chain.plan
        parts = [part for index in plan.owned(module)
                 for part in model.chain.units[index].modules(model.backbone)]
        parts += [model.auxiliary[loss.key] for loss in plan.spans[module].losses]
        found = [buffer for part in parts for buffer in part.buffers()]
        if module == plan.modules - 1:
            found += _outside(model.named_buffers())
        return found

    @staticmethod
    def _find(model: Any, module: int) -> list[nn.Parameter]:
        plan = model.chain.plan
        found = model.chain.parameters(model.backbone, module)
        for loss in plan.spans[module].losses:
            found += model.auxiliary[loss.key].parameters()
        if module == plan.modules - 1:
            # Some detectors hold parameters themselves, such as DINO's level_embed.
            found += _outside(model.named_parameters())
        return found


def _outside(named: Iterable[tuple[str, Any]]) -> list[Any]:
    return [each for name, each in named if not name.startswith(('backbone.', 'auxiliary.'))]
