"""What a detector's parts state about it, without a detector."""
import pytest
from torch import nn

from auglocal_mm.models.detector_fit import classes_of, require_own_backbone


def detector(**classes):
    """Parts by name (two underscores for a dot), each with its number of classes."""
    model = nn.Module()
    for name, number in classes.items():
        inside = model
        for part in name.split('__'):
            if not hasattr(inside, part):
                inside.add_module(part, nn.Module())
            inside = getattr(inside, part)
        inside.num_classes = number
    return model


@pytest.mark.parametrize('others', [
    {'rpn_head': 1}, {'roi_head__semantic_head': 183},
    {'semantic_head': 54, 'panoptic_fusion_head': 133}, {'backbone': 1000}, {'bbox_head': -1}],
    ids=lambda others: '+'.join(others))
def test_classes_are_those_of_objects(others):
    assert classes_of(detector(roi_head__bbox_head=80, **others)) == 80


def test_object_heads_must_agree():
    with pytest.raises(ValueError, match='bbox_head has 80, roi_head.mask_head has 10'):
        classes_of(detector(roi_head__bbox_head=80, roi_head__mask_head=10))


def test_a_teacher_beside_an_own_backbone_is_no_obstacle():
    require_own_backbone(nn.Module, {'backbone': {}, 'teacher_config': 'teacher.py'})
    with pytest.raises(TypeError, match='no backbone of its own'):
        require_own_backbone(nn.Module, {'teacher_config': 'teacher.py'})
