"""What local learning requires of a detector when it is built."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from auglocal_mm.validation import near, settings_of

#: Parts of detectors whose classes are not those of objects: proposals, stuff, things and stuff.
OTHER_CLASSES = frozenset({'rpn_head', 'semantic_head', 'panoptic_fusion_head'})


def require_known(detector: type, settings: Mapping[str, Any], *, own: Sequence[str]) -> None:
    """Refuse settings that neither the detector nor local learning has.

    Args:
        detector: The plain detector's class.
        settings: Its settings.
        own: Settings of local learning, for spelling.

    Raises:
        ValueError: A setting is unknown.
    """
    known = settings_of(detector)
    unknown = [name for name in settings if name not in known]
    if unknown and len(known) > 1:
        raise ValueError(f'model: {detector.__name__} has no setting {unknown[0]!r}; '
                         f'{near(unknown[0], [*own, *known])}')


def require_own_backbone(detector: type, settings: Mapping[str, Any]) -> None:
    """Refuse a detector without a backbone of its own.

    Raises:
        TypeError: It wraps other detectors, such as a teacher and a student.
    """
    if settings.get('backbone') is None:
        raise TypeError(
            f'{detector.__name__} has no backbone of its own, so nothing can be trained locally; '
            'give model.backbone, or train the detector inside it')


def require_plain_neck(model: Any) -> None:
    """Refuse a neck that reads something else than the backbone's outputs.

    Raises:
        ValueError: It reads another number of feature maps.
    """
    channels = getattr(getattr(model, 'neck', None), 'in_channels', None)
    outputs = sum(len(unit.outputs) for unit in model.chain.units)
    if isinstance(channels, (list, tuple)) and len(channels) != outputs:
        raise ValueError(
            f'{type(model.neck).__name__} reads {len(channels)} feature maps, but the backbone '
            f'returns {outputs}; set backbone.out_indices and neck.in_channels alike. A neck '
            'that reads inner layers or the image itself cannot be trained locally')


def classes_of(model: nn.Module) -> int:
    """Return the number of classes that the detector's heads state.

    Raises:
        TypeError: No head states one.
        ValueError: Heads disagree.
    """
    stated: dict[int, str] = {}
    for name, module in model.named_modules():
        own = not OTHER_CLASSES.union(('backbone', 'neck', 'data_preprocessor')).intersection(
            name.split('.'))
        number = getattr(module, 'num_classes', None)
        if own and name and isinstance(number, int) and number > 0:
            stated.setdefault(number, name)
    if len(stated) > 1:
        heads = ', '.join(f'{name} has {number}' for number, name in stated.items())
        raise ValueError(f'the heads of {type(model).__name__} state different numbers of classes: '
                         f'{heads}; set num_classes of every head alike')
    if not stated:
        raise TypeError(f'no head of {type(model).__name__} states num_classes, which local '
                        'losses need; set it in model.bbox_head or model.roi_head')
    return next(iter(stated))
