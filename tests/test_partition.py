"""Partitions: the chain is the backbone's own forward pass, bit for bit."""
import copy

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from mmpretrain.models.backbones import VGG, ResNet

from auglocal_mm.partition import forward_layers, join, partition

SLIM = {'stem_channels': 8, 'base_channels': 8}
BACKBONES = {
    'ResNet-18': {'type': 'ResNet', 'depth': 18, **SLIM},
    'ResNet-34': {'type': 'ResNet', 'depth': 34, **SLIM},
    'ResNet-50': {'type': 'ResNet', 'depth': 50, **SLIM},
    'ResNet-101': {'type': 'ResNet', 'depth': 101, **SLIM},
    'ResNet-18 of three stages': {'type': 'ResNet', 'depth': 18, 'num_stages': 3,
                                  'strides': (1, 2, 2), 'dilations': (1, 1, 1),
                                  'out_indices': (2,), **SLIM},
    'ResNetV1c-50': {'type': 'ResNetV1c', 'depth': 50, **SLIM},
    'ResNetV1d-50': {'type': 'ResNetV1d', 'depth': 50, **SLIM},
    'SEResNet-50': {'type': 'SEResNet', 'depth': 50, 'se_ratio': 2, **SLIM},
    'ResNeXt-50': {'type': 'ResNeXt', 'depth': 50, 'groups': 4, 'width_per_group': 4},
    'ResNet_CIFAR-18': {'type': 'ResNet_CIFAR', 'depth': 18, **SLIM},
    'ResNet-32': {'type': 'auglocal_mm.ResNetCIFAR', 'depth': 32},
    'ResNet-110': {'type': 'auglocal_mm.ResNetCIFAR', 'depth': 110},
}


def build(cfg, *, training=False, **more):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        backbone = MODELS.build({**cfg, **more})
    backbone.train(training)  # returns None in mmpretrain
    return backbone


@pytest.mark.parametrize('name', BACKBONES)
@pytest.mark.parametrize('training', [True, False])
def test_the_chain_is_the_backbones_forward(name, training):
    backbone = build(BACKBONES[name], training=training)
    twin = copy.deepcopy(backbone)
    keys = list(backbone.state_dict())
    images = torch.randn(2, 3, 40, 40)
    expected, got = backbone(images), join(partition(twin), twin)(images)
    assert len(expected) == len(got)
    assert all(torch.equal(a, b) for a, b in zip(expected, got))
    assert list(twin.state_dict()) == keys
    assert all(torch.equal(a, b) for a, b in zip(backbone.state_dict().values(),
                                                 twin.state_dict().values()))


@pytest.mark.parametrize('name', BACKBONES)
def test_layers_state_their_shape_and_own_every_parameter_once(name):
    backbone = build(BACKBONES[name])
    layers = partition(backbone)
    x = torch.randn(1, 3, 64, 64)
    for layer in layers:
        y, _ = forward_layers([layer], backbone, x)
        assert (y.shape[1], y.shape[2] * layer.stride) == (layer.channels, x.shape[2]), layer.name
        x = y
    owned = [id(parameter) for layer in layers for parameter in layer.parameters(backbone)]
    assert sorted(owned) == sorted(map(id, backbone.parameters()))
    assert len({layer.name for layer in layers}) == len(layers)


@pytest.mark.parametrize(('name', 'units'), [
    ('ResNet-34', 17), ('ResNet-101', 34), ('ResNet-32', 16), ('ResNet-110', 55)])
def test_number_of_units_is_the_papers(name, units):
    assert len(partition(build(BACKBONES[name]))) == units


def test_outputs_of_several_stages_come_out():
    backbone = build(BACKBONES['ResNet-18'], out_indices=(0, 2, 3))
    images = torch.randn(1, 3, 32, 32)
    for a, b in zip(backbone(images), join(partition(backbone), backbone)(images), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize('name', [n for n in BACKBONES if n not in ('ResNet-101', 'ResNet-110')])
def test_auxiliary_blocks_are_of_the_layers_own_kind(name):
    backbone = build(BACKBONES[name])
    layer = partition(backbone)[-1]
    own = backbone.get_submodule(layer.paths[0])
    for stride in (1, 2):
        block = layer.build_block(backbone, in_channels=layer.channels // 2, stride=stride).eval()
        assert type(block) is type(own)
        y = block(torch.randn(1, layer.channels // 2, 8, 8))
        assert y.shape == (1, layer.channels, 8 // stride, 8 // stride)
        assert {n.split('.')[0] for n, _ in own.named_parameters()} <= {
            n.split('.')[0] for n, _ in block.named_parameters()}
        assert not {id(p) for p in block.parameters()} & {id(p) for p in backbone.parameters()}


def test_frozen_stages_are_not_trainable():
    backbone = build(BACKBONES['ResNet-18'], frozen_stages=1)
    trainable = [layer.spec(backbone).trainable for layer in partition(backbone)]
    assert trainable == [False] * 3 + [True] * 6


def test_an_unknown_backbone_is_refused_with_the_way_to_add_it():
    with pytest.raises(TypeError, match=r'VGG .*supported are ResNet .*partition\.register'):
        partition(VGG(11))


def test_a_forward_pass_of_its_own_is_refused():
    class Odd(ResNet):
        def forward(self, x):
            return super().forward(x.flip(-1))

    with pytest.raises(TypeError, match='does not know how to cut Odd'):
        partition(Odd(18))


def test_another_family_is_one_registered_function():
    class Mine(torch.nn.Sequential):
        pass

    marker = object()
    partition.register(Mine, lambda backbone: (marker,))
    assert partition(Mine()) == (marker,)
