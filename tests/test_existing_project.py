"""Someone else's config turned local, without a line of code."""
import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

import auglocal_mm

BY_NAME = '''
_base_ = 'mmpretrain::resnet/resnet34_8xb32_in1k.py'
model = dict(
    type='auglocal_mm.LocalImageClassifier',
    local=dict(type='auglocal_mm.AugLocal', depth=5, tau=0.0, modules=17,
               batch_norm_before_fc=False))
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
model_wrapper_cfg = dict(type='auglocal_mm.LocalDistributedDataParallel')
custom_hooks = [dict(type='auglocal_mm.AuxiliaryHeadHook')]
'''
BY_FRAGMENT = '''
_base_ = ['mmpretrain::resnet/resnet34_8xb32_in1k.py',
          'auglocal_mm::_base_/local/auglocal_imagenet.py']
model = dict(type='auglocal_mm.LocalImageClassifier', local={{_base_.local}})
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
'''


def installed() -> bool:
    return (Path(auglocal_mm.__file__).parent / '.mim' / 'configs').exists()


def read(text, tmp_path):
    assert auglocal_mm.__version__
    path = tmp_path / 'mine.py'
    path.write_text(text)
    return Config.fromfile(path)


@pytest.mark.parametrize('text', [BY_NAME, pytest.param(BY_FRAGMENT, marks=pytest.mark.skipif(
    not installed(), reason='auglocal_mm:: needs the package installed'))])
def test_mmpretrains_resnet34_config_becomes_local(text, tmp_path):
    cfg = read(text, tmp_path)
    assert cfg.default_scope == 'mmpretrain'
    assert cfg.model.head.num_classes == 1000 and cfg.optim_wrapper.optimizer.type == 'SGD'
    model_cfg = copy.deepcopy(cfg.model)
    model_cfg.backbone.base_channels = model_cfg.backbone.stem_channels = 8
    model_cfg.head.in_channels = 64
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(model_cfg)
    assert (model.plan.units, model.plan.modules) == (17, 17)
    assert [len(layer.auxiliary.blocks) for layer in model.plan.layers[:3]] == [4, 4, 4]
    assert torch.isfinite(model(torch.randn(1, 3, 64, 64))).all()


def test_both_ways_give_the_same_config(tmp_path):
    if not installed():
        pytest.skip('auglocal_mm:: needs the package installed')
    named, fragment = read(BY_NAME, tmp_path), read(BY_FRAGMENT, tmp_path)
    fragment.pop('local')
    assert without_scope(named.to_dict()) == without_scope(fragment.to_dict())


def without_scope(node):
    """Leave out mmengine's mark on what came from another package's config."""
    if isinstance(node, dict):
        return {key: without_scope(value) for key, value in node.items() if key != '_scope_'}
    return [without_scope(value) for value in node] if isinstance(node, list) else node
