"""Which parameters each module trains."""
from __future__ import annotations

from typing import Any

from torch import nn


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
    def _find(model: Any, module: int) -> list[nn.Parameter]:
        plan = model.chain.plan
        found = model.chain.parameters(model.backbone, module)
        for loss in plan.spans[module].losses:
            found += model.auxiliary[loss.key].parameters()
        if module == plan.modules - 1:
            # Some detectors hold parameters themselves, such as DINO's level_embed.
            found += [parameter for name, parameter in model.named_parameters()
                      if not name.startswith(('backbone.', 'auxiliary.'))]
        return found
