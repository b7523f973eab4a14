"""Shrinking a config: small numbers, nothing to download, all else as it was."""
import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config

from auglocal_mm.lab.measure.families import FAMILIES, choose
from auglocal_mm.lab.measure.families.model import configs_folder
from auglocal_mm.lab.measure.families.shrink import DROPPED, MOST, THRESHOLDS, shrink

PRETRAINED = {'type': 'Pretrained', 'checkpoint': 'https://example.org/weights.pth'}
XAVIER = {'type': 'Xavier', 'layer': 'Conv2d'}
KEYS = st.sampled_from(['type', 'init_cfg', 'checkpoint', 'depth', *MOST, *THRESHOLDS, *DROPPED])
LEAVES = st.one_of(st.integers(0, 10**6), st.floats(0, 1), st.just('Pretrained'), st.none(),
                   st.just(PRETRAINED))
TREES = st.recursive(LEAVES, lambda inner: st.one_of(
    st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)), max_leaves=20)


def settings(node):
    """Every key and value at any depth; every item of a sequence under the key None."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield key, value
            yield from settings(value)
    elif isinstance(node, (list, tuple)):
        for item in node:
            yield None, item
            yield from settings(item)


def loads(node):
    return isinstance(node, dict) and (node.get('type') == 'Pretrained' or 'checkpoint' in node)


@given(TREES.filter(lambda tree: not loads(tree)))
def test_nothing_large_certain_or_pretrained_is_left_and_the_source_stays(tree):
    before = copy.deepcopy(tree)
    small = shrink(tree)
    assert tree == before
    for key, value in settings(small):
        assert key not in DROPPED
        assert not loads(value)
        assert key not in THRESHOLDS or value == -1.0
        assert key not in MOST or not isinstance(value, int) or value <= MOST[key]
    assert shrink(small) == small


def test_what_is_not_named_is_kept():
    model = {'type': 'FasterRCNN', 'backbone': {'depth': 50, 'init_cfg': PRETRAINED},
             'neck': {'strides': (4, 8), 'init_cfg': [XAVIER, PRETRAINED]},
             'test_cfg': {'score_thr': 0.05, 'nms': {'iou_threshold': 0.5}, 'nms_pre': 1000,
                          'max_per_img': 8}}
    assert shrink(model) == {
        'type': 'FasterRCNN', 'backbone': {'depth': 50},
        'neck': {'strides': (4, 8), 'init_cfg': [XAVIER]},
        'test_cfg': {'score_thr': -1.0, 'nms': {'iou_threshold': 0.5},
                     'nms_pre': MOST['nms_pre'], 'max_per_img': 8}}


@pytest.mark.parametrize('family', FAMILIES, ids=lambda family: family.name)
def test_each_familys_config_is_there(family):
    assert (configs_folder() / family.config).is_file()


def test_each_family_is_named_once():
    names = [family.name.lower() for family in FAMILIES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize('name', ['LAD', 'PVT', 'Swin', 'YOLOX', 'SSD'])
def test_a_real_configs_downloads_are_gone(name):
    [family] = choose(FAMILIES, [name])
    model = Config.fromfile(configs_folder() / family.config).model.to_dict()
    assert name == 'YOLOX' or '://' in str(model)
    small = str(shrink(model))
    assert 'Pretrained' not in small and '://' not in small
