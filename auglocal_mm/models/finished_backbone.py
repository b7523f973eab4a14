"""Lets a model go on from what its backbone has computed already."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


class FinishedBackbone(nn.Module):
    """Stands where the backbone is, and returns its outputs when it is called.

    Args:
        outputs: What the backbone would return for the batch.
        backbone: The backbone.
    """

    def __init__(self, outputs: tuple[Any, ...], backbone: nn.Module) -> None:
        super().__init__()
        self._outputs: tuple[Any, ...] | None = outputs
        self._name = type(backbone).__name__
        # In a tuple, so that it does not become a child.
        self._backbone = (backbone,)

    def forward(self, *inputs: Any) -> tuple[Any, ...]:
        """Return the outputs, once.

        Raises:
            TypeError: The model calls its backbone again, or on more than the images.
        """
        if self._outputs is None or len(inputs) != 1:
            what = 'twice in a training step' if len(inputs) == 1 else 'on more than the images'
            raise TypeError(f'a detector that calls its backbone ({self._name}) {what} cannot be '
                            'trained locally; train it by its plain config')
        outputs, self._outputs = self._outputs, None
        return outputs

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            # Tools look for attributes of their own on any module.
            if name == '_backbone' or not hasattr(self._backbone[0], name):
                raise
            raise TypeError(
                f'a detector whose loss reads {name!r} of its backbone ({self._name}) cannot be '
                'trained locally, because its units have run before; train it by its plain '
                'config') from None


@contextmanager
def finished_backbone(model: nn.Module, outputs: tuple[Any, ...]) -> Iterator[None]:
    """Let ``model.backbone`` return `outputs` inside a ``with`` block.

    A detector reaches its backbone in functions of its own, such as ``extract_feat``, which
    may do more than mmdet's. They run unchanged.
    """
    backbone: Any = model.backbone
    model._modules['backbone'] = FinishedBackbone(outputs, backbone)
    try:
        yield
    finally:
        model._modules['backbone'] = backbone
