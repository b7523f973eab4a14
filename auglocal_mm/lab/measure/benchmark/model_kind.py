"""What kinds of models are benchmarked, and what of a benchmark depends on the kind."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from mmengine.config import Config

from auglocal_mm.console.host_chatter import import_hosts

from .classifiers import Classifiers
from .costs import Costs
from .detectors import Detectors


class ModelKind(Protocol):
    """The models of one task: how their batches are made, and what they cost."""

    noun: str

    def includes(self, cfg: Config) -> bool:
        """Tell whether a config's model is of this kind, without building it."""
        ...

    def shape(self, cfg: Config, given: Sequence[int] | None) -> tuple[int, int]:
        """Return the height and width of the images as the network sees them.

        Args:
            cfg: The config.
            given: The user's choice instead: height and width, or one number for both.

        Raises:
            ValueError: `given` is not a size, or the config states none.
        """
        ...

    def batch(self, model: Any, *, size: int, shape: tuple[int, int]) -> dict[str, Any]:
        """Make a batch as a data loader yields it: ``inputs`` and ``data_samples``.

        Args:
            model: The model.
            size: Number of images.
            shape: Height and width of each.
        """
        ...

    def costs(self, model: Any, shape: tuple[int, int]) -> Costs:
        """Count parameters and multiply-adds."""
        ...


KINDS: tuple[ModelKind, ...] = (Classifiers(), Detectors())


def kind_of(cfg: Config, path: str) -> ModelKind:
    """Return the kind of a config's model.

    Raises:
        ValueError: It is of no kind that can be benchmarked.
    """
    if cfg.get('default_scope') == 'mmdet':
        # Looking up the model's class would import it, and print more.
        import_hosts('mmdet.models')
    for kind in KINDS:
        if kind.includes(cfg):
            return kind
    nouns = ' or a '.join(kind.noun for kind in KINDS)
    raise ValueError(f'{path} must hold a {nouns} to be benchmarked, got model.type='
                     f'{cfg.model.get("type")!r}')
