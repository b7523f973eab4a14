"""The families of mmdet's detectors: one config for each, and what a CPU needs changed."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .contents import Semantics


@dataclass(frozen=True)
class Family:
    """One family of detectors.

    Attributes:
        name: How the table calls it.
        config: Its config, relative to mmdet's folder of configs; or an absolute path.
        image: Side of the square images in pixels.
        changes: Dotted key of the config -> value, such as ``model.neck.num_outs``.
        semantics: The semantic segmentation that its training needs; None without.
        teacher: Whether ``model.teacher_config`` names another config.
    """

    name: str
    config: str
    image: int = 128
    changes: Mapping[str, Any] = field(default_factory=dict)
    semantics: Semantics | None = None
    teacher: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Family:
        """Return what :meth:`to_dict` was given by."""
        semantics = data['semantics']
        return cls(**{**data, 'semantics': semantics and Semantics(**semantics)})


def choose(families: Sequence[Family], names: Sequence[str]) -> list[Family]:
    """Return the families of these names in the given order; all without names.

    Raises:
        ValueError: A name is unknown.
    """
    known = {family.name.lower(): family for family in families}
    unknown = [name for name in names if name.lower() not in known]
    if unknown:
        raise ValueError(f'no such family: {", ".join(unknown)}; must be of: '
                         + ', '.join(family.name for family in families))
    return [known[name.lower()] for name in names] if names else list(families)
