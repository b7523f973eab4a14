"""Renders HTML pages from templates: text is escaped, and a missing value is an error."""
from __future__ import annotations

from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from .signed import signed


def render_page(template: str, *, room: str, **content: Any) -> str:
    """Render a template of `room`, which may extend and import those of this room.

    Args:
        template: Its file name in the folder ``templates`` of the room.
        room: Name of the package.
        **content: What the template shows. Texts are escaped; markup that is meant as such
            must be a ``markupsafe.Markup``.

    Returns:
        HTML.

    Raises:
        jinja2.UndefinedError: The template names something that is not in `content`.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(room), PackageLoader(__package__)]),
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True)
    environment.filters['signed'] = signed
    return environment.get_template(template).render(content)
