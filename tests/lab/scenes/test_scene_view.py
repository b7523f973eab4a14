import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from auglocal_mm.lab.scenes.scene_view import mask_outline, panel_of


def polygons(path: str) -> list[list[tuple[int, int]]]:
    return [[tuple(map(int, point.split())) for point in part.split('L')]
            for part in re.findall(r'M([^Z]*)Z', path)]


def filled(path: str, shape) -> np.ndarray:
    """Fill by the even-odd rule, slowly: count vertical edges left of each pixel."""
    mask = np.zeros(shape, bool)
    for points in polygons(path):
        for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
            assert (x0 == x1) != (y0 == y1)
            if x0 == x1:
                mask[min(y0, y1):max(y0, y1), x0:] ^= True
    return mask


@given(arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 7))))
def test_an_outline_encloses_exactly_its_mask(mask):
    assert np.array_equal(filled(mask_outline(mask), mask.shape), mask)


def test_a_rectangle_has_four_corners():
    mask = np.zeros((9, 9), bool)
    mask[2:5, 1:8] = True
    assert len(polygons(mask_outline(mask))[0]) == 4


def test_a_panel_says_in_words_what_it_shows():
    scene = {'width': 20, 'height': 20}
    seven = {'label': '7', 'box': [1, 2, 3, 4], 'outline': '', 'score': 0.93}
    assert panel_of(scene, [seven], caption='BP').alt == 'BP: 7 (93 %)'
    assert panel_of(scene, [], caption='<BP>').alt == '<BP>: nothing'


@given(box=st.tuples(*[st.floats(0, 100)] * 4), label=st.text(max_size=3),
       score=st.none() | st.floats(0, 1))
def test_a_label_stays_inside_its_scene_beside_its_box(box, label, score):
    found = {'label': label, 'box': box, 'outline': '', 'score': score}
    mark, = panel_of({'width': 100, 'height': 100}, [found], caption='BP').marks
    x, y, width, height = mark.tag
    assert x >= 0 and x + width <= 100 + 1e-9
    assert y >= 0 and y + height <= 100 + 1e-9
    assert y + height == pytest.approx(box[1]) or y >= min(box[1] + box[3], 100) - height - 1e-9
    assert mark.text == (label if score is None else f'{label} {100 * score:.0f}')
