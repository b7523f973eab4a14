"""What local learning requires of classification heads when a model is built."""
from __future__ import annotations

from typing import Any

from mmpretrain.models.heads import ClsHead, MultiLabelClsHead
from torch import nn

from auglocal_mm.plan import LocalPlan

#: Heads whose loss depends on logits and labels only.
LOGIT_HEADS = (ClsHead, MultiLabelClsHead)


def fits(head: nn.Module | None) -> bool:
    """Tell whether a head's loss depends on logits and labels only."""
    # By their functions: ArcFace's head, for one, inherits from ClsHead but has its own loss.
    return any(isinstance(head, kind) and (type(head).loss, type(head)._get_loss) == (
        kind.loss, kind._get_loss) for kind in LOGIT_HEADS)


def require_fitting_head(head: nn.Module | None) -> None:
    """Refuse a head whose loss auxiliary networks cannot use.

    Raises:
        TypeError: There is no head, or it has a loss of its own.
    """
    if fits(head):
        return
    raise TypeError(
        'local learning gives the head\'s loss to every auxiliary network and needs a head '
        'that inherits it from ClsHead or MultiLabelClsHead, such as LinearClsHead; got '
        f'{type(head).__name__}')


def classes_of(head: nn.Module, backbone: nn.Module, preprocessor: Any) -> int:
    """Return the number of classes: the head's, the backbone's (VGG) or the preprocessor's.

    Raises:
        TypeError: None of them states it.
    """
    for owner in (head, backbone, preprocessor):
        number = getattr(owner, 'num_classes', None)
        if isinstance(number, int) and number > 0:
            return number
    raise TypeError(f'{type(head).__name__} has no num_classes, which auxiliary networks need; '
                    'use a head such as LinearClsHead, or set num_classes of data_preprocessor')


def require_hard_labels(plan: LocalPlan, head: nn.Module, preprocessor: Any) -> None:
    """Refuse labels that are not a single class where a contrastive loss needs one.

    Raises:
        ValueError: Mixup, CutMix or several labels per image meet such a loss.
    """
    contrastive = [plan.shapes[loss.unit].name for loss in plan.losses
                   if loss.auxiliary.embeds]
    if not contrastive:
        return
    fix = "use loss='softmax' in model.local"
    if getattr(preprocessor, 'batch_augments', None) is not None:
        raise ValueError(f'a contrastive local loss ({contrastive[0]} and others) needs one label '
                         'per image, but the data preprocessor mixes images (train_cfg.augments); '
                         f'{fix} or leave the augments out')
    if isinstance(head, MultiLabelClsHead):
        raise ValueError(f'a contrastive local loss ({contrastive[0]} and others) needs one label '
                         f'per image, but {type(head).__name__} has several; {fix}')
