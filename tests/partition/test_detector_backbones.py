"""Backbones of detectors: the chain is their forward pass, bit for bit, whatever the settings."""
import copy
import subprocess
import sys

import pytest
import torch
from mmpretrain.models import backbones as classifiers

from auglocal_mm.partition import Tokens, feature_map, forward_units, join, partition
from auglocal_mm.partition.base import OPTIONAL_FAMILIES
from auglocal_mm.partition.grid import GridSteps

# isort: split
from mmdet.models import backbones  # after auglocal_mm, whose operators it needs

IMAGES = (2, 3, 64, 40)
BN = {'norm_eval': False}
SLIM = {'base_channels': 4, **BN}
CAFFE = {'style': 'caffe', 'norm_cfg': {'type': 'BN', 'requires_grad': False}}
LATE = (False, False, True, True)
DCN = {'dcn': {'type': 'DCNv2', 'deform_groups': 1, 'fallback_on_stride': False},
       'stage_with_dcn': LATE}
PLUGINS = {'plugins': [{'cfg': {'type': 'ContextBlock', 'ratio': 0.25}, 'stages': LATE,
                        'position': 'after_conv3'}]}
C4 = {'num_stages': 3, 'strides': (1, 2, 2), 'dilations': (1, 1, 1), 'out_indices': (2,)}
DILATED = {'strides': (1, 2, 2, 1), 'dilations': (1, 1, 1, 2), 'out_indices': (3,)}
TINY_REGNET = {'arch': {'w0': 8, 'wa': 4.0, 'wm': 1.6, 'group_w': 4, 'depth': 8, 'bot_mul': 1.0},
               'stem_channels': 4, **BN}
SWIN = {'embed_dims': 4, 'depths': (1, 2, 2, 1), 'num_heads': (1, 2, 2, 4), 'window_size': 3,
        'drop_path_rate': 0.3}
CLASSIFIER = {'arch': {'embed_dims': 4, 'depths': (1, 2, 2, 1), 'num_heads': (1, 2, 2, 4)},
              'window_size': 2, 'drop_path_rate': 0.3}
PVT = {'embed_dims': 4, 'num_layers': [1, 2, 1, 2], 'num_heads': [1, 2, 3, 4],
       'mlp_ratios': [2, 2, 2, 2], 'drop_path_rate': 0.3, 'drop_rate': 0.1}
MOBILE = {'widen_factor': 0.1, 'norm_cfg': {'type': 'BN', 'requires_grad': False}}
CSP = {'widen_factor': 0.0625, 'deepen_factor': 0.1, 'out_indices': (0, 2, 4)}

#: Name: class, its settings.
CASES = {
    'ResNet-18': ('ResNet', {'depth': 18, **SLIM}),
    'ResNet-50': ('ResNet', {'depth': 50, 'with_cp': True, **SLIM}),
    'ResNet-50 caffe': ('ResNet', {'depth': 50, 'base_channels': 4, 'frozen_stages': 1, **CAFFE}),
    'ResNet-50 C4': ('ResNet', {'depth': 50, **SLIM, **C4}),
    'ResNet-50 dilated': ('ResNet', {'depth': 50, 'avg_down': True, 'stem_channels': 6, **SLIM,
                                     **DILATED}),
    'ResNet-50 GN': ('ResNet', {'depth': 50, 'base_channels': 4,
                                'norm_cfg': {'type': 'GN', 'num_groups': 2}}),
    'ResNet-50 DCN': ('ResNet', {'depth': 50, **SLIM, **DCN, **PLUGINS}),
    'ResNetV1d-50': ('ResNetV1d', {'depth': 50, 'frozen_stages': 1, **SLIM}),
    'ResNeXt-50 DCN': ('ResNeXt', {'depth': 50, 'groups': 2, 'base_width': 2, **SLIM, **DCN}),
    'Res2Net-50': ('Res2Net', {'depth': 50, 'scales': 4, 'base_width': 2, **SLIM}),
    'ResNeSt-50': ('ResNeSt', {'depth': 50, 'groups': 2, 'base_width': 4, **SLIM}),
    'RegNet DCN': ('RegNet', {**TINY_REGNET, 'frozen_stages': 1, 'strides': (2, 2, 2, 1), **DCN}),
    'MobileNetV2': ('MobileNetV2', {**MOBILE, 'frozen_stages': 1}),
    'CSPDarknet': ('CSPDarknet', {**CSP, 'use_depthwise': True}),
    'CSPNeXt': ('CSPNeXt', {**CSP, 'frozen_stages': 1}),
    'Swin': ('SwinTransformer', {**SWIN, 'frozen_stages': 1}),
    'Swin with positions': ('SwinTransformer', {
        **SWIN, 'use_abs_pos_embed': True, 'pretrain_img_size': IMAGES[2:], 'with_cp': True,
        'patch_norm': False, 'qkv_bias': False, 'out_indices': (1, 3)}),
    "mmpretrain's Swin": ('mmpretrain', {**CLASSIFIER, 'out_indices': (0, 1, 2, 3)}),
    "mmpretrain's Swin, merged first": ('mmpretrain', {
        **CLASSIFIER, 'out_indices': (1, 3), 'out_after_downsample': True, 'norm_cfg': None,
        'use_abs_pos_embed': True, 'img_size': 32}),
    'PVT': ('PyramidVisionTransformer', {**PVT, 'pretrain_img_size': 64}),
    'PVT v2': ('PyramidVisionTransformerV2', PVT),
}
SLOW = {
    'ResNet-34': ('ResNet', {'depth': 34, **SLIM}),
    'ResNet-101': ('ResNet', {'depth': 101, **SLIM}),
    'ResNet-152': ('ResNet', {'depth': 152, **SLIM}),
    'MobileNetV2 of full width': ('MobileNetV2', {}),
    'Swin-T': ('SwinTransformer', {}),
    'PVT-Tiny': ('PyramidVisionTransformer', {'num_layers': [2, 2, 2, 2]}),
    'PVTv2-B0': ('PyramidVisionTransformerV2', {'embed_dims': 32, 'num_layers': [2, 2, 2, 2]}),
    'RegNetX-3.2GF': ('RegNet', {'arch': 'regnetx_3.2gf'}),
}
ALL = [*CASES, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]


def build(name, *, training=False, **more):
    torch.manual_seed(0)
    kind, settings = (CASES | SLOW)[name]
    cls = classifiers.SwinTransformer if kind == 'mmpretrain' else getattr(backbones, kind)
    backbone = cls(**copy.deepcopy({**settings, **more}))
    with torch.no_grad():
        for parameter in backbone.parameters():  # Zeros, as in position embeddings, hide faults.
            parameter += 0.05 * torch.randn_like(parameter)
    backbone.train(training)
    return backbone


def same(first, second):
    return len(first) == len(second) and all(map(torch.equal, first, second))


def run(forward, backbone):
    """Return outputs and, in training, gradients."""
    torch.manual_seed(1)
    with torch.set_grad_enabled(backbone.training):
        outputs = forward(torch.randn(IMAGES))
    if not backbone.training:
        return outputs, {}
    sum(output.square().mean() for output in outputs).backward()
    return outputs, {name: p.grad for name, p in backbone.named_parameters() if p.grad is not None}


@pytest.mark.parametrize('name', ALL)
def test_the_chain_is_the_backbones_forward(name):
    backbone = build(name)
    twin = copy.deepcopy(backbone)
    for training in (True, False):
        backbone.train(training)
        twin.train(training)
        outputs, gradients = run(backbone, backbone)
        got, others = run(join(partition(twin), twin), twin)
        assert same(got, outputs)
        assert list(others) == list(gradients) and same([*others.values()], [*gradients.values()])
        assert list(twin.state_dict()) == list(backbone.state_dict())
        assert same([*backbone.state_dict().values()], [*twin.state_dict().values()])


@pytest.mark.parametrize('name', ALL)
def test_units_state_their_shape_and_own_every_parameter_once(name):
    backbone = build(name)
    units = partition(backbone)
    x = torch.randn(IMAGES)
    for unit in units:
        y, _ = forward_units([unit], backbone, x)
        seen, before = feature_map(y), feature_map(x)
        assert seen.shape[1] == unit.channels, unit.name
        assert seen.shape[2] == -(-before.shape[2] // unit.stride), unit.name
        x = y
    owned = [id(parameter) for unit in units for parameter in unit.parameters(backbone)]
    assert sorted(owned) == sorted(map(id, backbone.parameters()))
    stages = [unit.stage for unit in units]
    assert len({unit.name for unit in units}) == len(units)
    assert stages == sorted(stages) and set(stages) == set(range(1, stages[-1] + 1))


@pytest.mark.parametrize('name', CASES)
def test_auxiliary_blocks_are_plain_and_of_the_backbones_kind(name):
    backbone = build(name, training=True)
    for unit in (partition(backbone)[1], partition(backbone)[-1]):
        own = backbone.get_submodule(unit.name)
        own = own[-1] if isinstance(own, torch.nn.Sequential) else own  # of a whole stage
        for before, after, stride in ((1, 1, 1), (2, 1, 1), (2, 1, 2), (1, 2, 2)):
            wide, out = before * unit.channels, after * unit.granularity
            block = unit.build_block(backbone, in_channels=wide, out_channels=out, stride=stride)
            x = torch.randn(2, wide, 9, 8)
            if isinstance(unit.forward, GridSteps):
                x = Tokens(x.flatten(2).transpose(1, 2), (9, 8), 0)
            y = feature_map(block.train()(x))
            assert y.shape == (2, out, -(-9 // stride), 8 // stride)
            assert any(isinstance(part, type(own)) for part in block.modules())
            kinds = {type(part).__name__ for part in block.modules()}
            assert not kinds & {'ContextBlock', 'ModulatedDeformConv2dPack', 'DeformConv2dPack'}
            assert all(parameter.requires_grad for parameter in block.parameters())
            assert not any(getattr(part, 'with_cp', False) for part in block.modules())
            assert not {*map(id, block.parameters())} & {*map(id, backbone.parameters())}


@pytest.mark.parametrize(('name', 'indices'), [
    ('ResNet-50', (1, 2, 3)), ('ResNet-18', (3,)), ('RegNet DCN', (0, 2)),
    ('MobileNetV2', (2, 4, 6)), ('Swin', (1, 2, 3)), ('PVT', (3,)), ('PVT v2', (1, 2))])
def test_outputs_of_some_stages_come_out(name, indices):
    backbone = build(name, out_indices=indices)
    images = torch.randn(IMAGES)
    outputs = join(partition(backbone), backbone)(images)
    assert len(outputs) == len(indices) and same(outputs, backbone(images))


@pytest.mark.parametrize(('name', 'frozen'), [
    ('ResNet-50', 0), ('ResNet-50', 2), ('ResNetV1d-50', 1), ('RegNet DCN', 1),
    ('MobileNetV2', 2), ('Swin', 2), ('CSPNeXt', 2)])
def test_frozen_stages_do_not_learn(name, frozen):
    backbone = build(name, training=True, frozen_stages=frozen)
    specs = [(unit, unit.spec(backbone).trainable) for unit in partition(backbone)]
    for unit, trainable in specs[1:]:
        assert trainable == (unit.stage > frozen), unit.name
    assert not specs[0][1]


def test_what_mmdet_registers_is_named_without_importing_it():
    partition(build('ResNet-18'))
    registered = {cls.__name__ for cls in partition.registry
                  if cls.__module__.startswith('mmdet.')}
    assert registered == set(OPTIONAL_FAMILIES['mmdet'][1])
    with pytest.raises(TypeError, match=r'cut HRNet into units.*mmdet\.ResNet'):
        partition(object.__new__(backbones.HRNet))


@pytest.mark.slow
def test_mmpretrains_backbones_need_no_mmdet():
    subprocess.run([sys.executable, '-c', """
import sys
sys.modules['mmdet'] = None
from auglocal_mm.partition import partition
from mmpretrain.models.backbones import ResNet
assert len(partition(ResNet(18))) == 9
"""], check=True)


def test_another_forward_pass_is_refused():
    sac = {'type': 'SAC', 'use_deform': False}
    stages = {'num_stages': 3, 'strides': (1, 2, 2), 'dilations': (1, 1, 1), 'out_indices': (2,)}

    class Flipping(backbones.ResNet):
        def forward(self, x):
            return super().forward(x.flip(-1))

    for odd in (Flipping(18, base_channels=4),
                backbones.TridentResNet(50, num_branch=2, test_branch_idx=1, base_channels=4,
                                        trident_dilations=(1, 2), **stages),
                backbones.DetectoRS_ResNet(sac=sac, depth=50, base_channels=4, output_img=True)):
        with pytest.raises(TypeError, match=f'how to cut {type(odd).__name__}'):
            partition(odd)
