"""What follows a detector's backbone, counted without images."""
import pytest
import torch
from detectors import build, detector_cfg
from small import auglocal

from auglocal_mm.models.counted_costs import CountedModel
from auglocal_mm.models.detector_end import detector_end


def test_region_heads_get_as_many_regions_as_their_samplers_take():
    """Of two images: 512 each for boxes, a quarter of them objects with masks."""
    model = build(detector_cfg(), local=auglocal(3, modules=2))
    calls = []
    model.rpn_head.forward = lambda maps: calls.append(('rpn', len(maps)))
    model.roi_head.bbox_head.forward = lambda x: calls.append(('bbox', tuple(x.shape)))
    model.roi_head.mask_head.forward = lambda x: calls.append(('mask', tuple(x.shape)))
    model.neck.forward = lambda maps: maps
    outputs = tuple(model.backbone(torch.rand(2, 3, 32, 32)))
    for part in detector_end(model, outputs):
        part()
    assert calls == [('rpn', 4), ('bbox', (1024, 32, 7, 7)), ('mask', (256, 32, 14, 14))]


def test_a_detectors_head_costs_more_than_a_unit():
    model = build(detector_cfg('RetinaNet'), local=auglocal(3, modules=3))
    counted = CountedModel(model, model.chain.units, shape=(64, 64))
    assert counted.head().bytes > max(unit.bytes for unit in counted.units)


def test_a_detector_whose_heads_need_more_than_maps_is_refused():
    with pytest.raises(ValueError, match=r'ResNet: the cost of what follows the backbone cannot '
                       r"be counted on images of 800×1344 \(.*\); set balance='units'"):
        build(detector_cfg('DETR'), local=auglocal(3, modules=2, balance='memory'))
