"""Run lengths, boxes and areas against pycocotools."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from auglocal_mm.datasets.coco_json import annotate, run_lengths, to_coco
from auglocal_mm.datasets.scene_drawing import Instance

masks = arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


def encode(segmentation):
    return coco_mask.frPyObjects(segmentation, *segmentation['size'])


@given(mask=masks)
def test_pycocotools_decodes_the_same_mask(mask):
    counts = run_lengths(mask)
    assert sum(counts) == mask.size
    assert all(count > 0 for count in counts[1:])
    decoded = coco_mask.decode(encode(dict(size=list(mask.shape), counts=counts)))
    assert np.array_equal(decoded.astype(bool), mask)


@given(mask=masks.filter(np.any), label=st.integers(0, 9))
def test_box_and_area_are_those_of_the_mask(mask, label):
    annotation = annotate(mask, label=label)
    encoded = encode(annotation['segmentation'])
    assert annotation['area'] == coco_mask.area(encoded)
    assert annotation['bbox'] == coco_mask.toBbox(encoded).tolist()
    assert annotation['category_id'] == label + 1


def test_empty_mask_is_refused():
    with pytest.raises(ValueError, match='at least one pixel'):
        annotate(np.zeros((4, 4), dtype=bool), label=0)


def test_ids_count_from_one_over_all_scenes():
    mask = np.eye(4, dtype=bool)
    coco = to_coco([[Instance(1, mask)], [], [Instance(0, mask), Instance(1, mask)]],
                   file_names=['a.png', 'b.png', 'c.png'], classes=['x', 'y'], side_px=4)
    assert [image['id'] for image in coco['images']] == [1, 2, 3]
    assert [(each['id'], each['image_id'], each['category_id'])
            for each in coco['annotations']] == [(1, 1, 2), (2, 3, 1), (3, 3, 2)]
    assert [each['name'] for each in coco['categories']] == ['x', 'y']
