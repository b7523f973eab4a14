"""Scenes for a page: any size of image, masks or none."""
import base64
import io

import numpy as np
import pytest
from PIL import Image

from auglocal_mm.lab.scenes.scenes import instance_of
from auglocal_mm.lab.scenes.small_scene import LONGEST_PX, small_scene

NAMES = {7: 'cat'}


@pytest.mark.parametrize(('size', 'shown'), [((80, 40), (80, 40)), ((720, 480), (360, 240))])
def test_a_large_image_is_made_smaller_with_what_is_on_it(tmp_path, size, shown):
    Image.fromarray(np.full((size[1], size[0], 3), 90, np.uint8)).save(tmp_path / 'x.png')
    entries = [{'category_id': 7, 'bbox': [20, 10, 40, 20], 'score': score}
               for score in (0.9, 0.2)]
    scene = small_scene(tmp_path / 'x.png', {'BP': entries}, names=NAMES)
    assert (scene.width, scene.height) == shown
    with Image.open(io.BytesIO(base64.b64decode(scene.image.partition(',')[2]))) as picture:
        assert picture.size == shown
    assert max(shown) <= LONGEST_PX
    scale = shown[0] / size[0]
    last = scene.instances['BP'][-1]
    assert (last['score'], last['box']) == (0.9, [each * scale for each in (20, 10, 40, 20)])


@pytest.mark.parametrize('scale', [1.0, 0.5])
def test_a_mask_shrinks_with_the_image(scale):
    polygon = [[8, 4, 24, 4, 24, 12, 8, 12]]
    instance = instance_of({'category_id': 7, 'segmentation': polygon}, names=NAMES,
                           shape=(20, 40), scale=scale)
    x0, y0, x1, y1 = (round(each * scale) for each in (8, 4, 24, 12))
    assert instance == {'label': 'cat', 'box': [x0, y0, x1 - x0, y1 - y0],
                        'outline': f'M{x0} {y0}L{x1} {y0}L{x1} {y1}L{x0} {y1}Z'}


def test_without_a_mask_there_is_no_outline():
    instance = instance_of({'category_id': 7, 'bbox': [1, 2, 3, 4], 'segmentation': []},
                           names=NAMES, shape=(20, 40))
    assert instance == {'label': 'cat', 'box': [1, 2, 3, 4], 'outline': ''}
