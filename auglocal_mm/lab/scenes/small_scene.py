"""A scene at a size that a page can hold, whatever the size of its image."""
from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .scenes import instance_of

#: Longest side in a page, in pixels. Smaller images keep their size.
LONGEST_PX = 360
_JPEG_QUALITY = 85


@dataclass(frozen=True)
class SmallScene:
    """An image and what was found on it by whom.

    Attributes:
        image: The image as a data URI.
        width, height: Its size in pixels.
        instances: Who found something -> the instances, as a panel takes them; the surest last.
    """

    image: str
    width: int
    height: int
    instances: Mapping[str, Sequence[Mapping[str, Any]]]


def small_scene(path: Path, entries: Mapping[str, Sequence[Mapping[str, Any]]], *,
                names: Mapping[int, str]) -> SmallScene:
    """Read an image and lay out what was found on it.

    Args:
        path: The image.
        entries: Who found something -> annotations or results of COCO's in this image.
        names: Number of each category to its name.
    """
    from PIL import Image

    with Image.open(path) as opened:
        picture = opened.convert('RGB')
    width, height = picture.size
    scale = min(1.0, LONGEST_PX / max(width, height))
    if scale < 1.0:
        picture = picture.resize((round(width * scale), round(height * scale)))
    buffer = io.BytesIO()
    picture.save(buffer, 'JPEG', quality=_JPEG_QUALITY)
    coded = base64.b64encode(buffer.getvalue()).decode()
    return SmallScene(f'data:image/jpeg;base64,{coded}', picture.width, picture.height, {
        who: [instance_of(each, names=names, shape=(height, width), scale=scale)
              # The surest come last, so that they are drawn on top.
              for each in sorted(found, key=lambda each: each.get('score', 0.0))]
        for who, found in entries.items()})
