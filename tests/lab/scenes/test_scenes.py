import base64
import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from auglocal_mm.lab.scenes.scenes import collect_scenes, decode_mask

SHAPE = (6, 8)


@pytest.fixture
def mask():
    mask = np.zeros(SHAPE, bool)
    mask[1:4, 2:6] = True
    return mask


def compressed(mask):
    encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {'size': encoded['size'], 'counts': encoded['counts'].decode()}


def test_decodes_every_form(mask):
    # Down the columns: 2 empty ones and a pixel, then 3 of 6 in each of 4 columns.
    counts = [13, 3, 3, 3, 3, 3, 3, 3, 14]
    polygon = [[2, 1, 6, 1, 6, 4, 2, 4]]
    for form in (compressed(mask), {'size': list(SHAPE), 'counts': counts}, polygon):
        assert np.array_equal(decode_mask(form, shape=SHAPE), mask)


def test_collects_the_first_scenes_and_confident_predictions(tmp_path, mask):
    (tmp_path / 'one.png').write_bytes(b'picture')
    segmentation = compressed(mask)
    annotations = {
        'categories': [{'id': 1, 'name': '0'}, {'id': 8, 'name': '7'}],
        'images': [{'id': 2, 'file_name': 'two.png', 'height': 6, 'width': 8},
                   {'id': 1, 'file_name': 'one.png', 'height': 6, 'width': 8}],
        'annotations': [{'image_id': 1, 'category_id': 8, 'bbox': [2, 1, 4, 3],
                         'segmentation': segmentation}],
    }
    found = [{'image_id': image, 'category_id': 1, 'score': score, 'segmentation': segmentation}
             for image, score in ((1, 0.51), (1, 0.9), (1, 0.49), (2, 0.9))]
    scenes = collect_scenes(annotations, image_dir=tmp_path, predictions={'bp': found}, count=1)
    assert json.loads(json.dumps(scenes)) == scenes
    (scene,) = scenes['items']
    assert base64.b64decode(scene['png']) == b'picture'
    outline = 'M2 1L6 1L6 4L2 4Z'
    assert scene['truth'] == [{'label': '7', 'box': [2, 1, 4, 3], 'outline': outline}]
    # The mask's own box where the result has none; the best one is drawn last.
    assert scene['bp'] == [{'label': '0', 'box': [2, 1, 4, 3], 'outline': outline, 'score': score}
                           for score in (0.51, 0.9)]
