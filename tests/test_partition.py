"""Partitions: the chain is the backbone's own forward pass, bit for bit."""
import copy

import pytest
import torch
from cheap_weights import repeat_rows
from mmpretrain.models.backbones import DistilledVisionTransformer, ResNet
from networks import NETWORKS, Network, walk_resnet

from auglocal_mm.partition import Tokens, feature_map, forward_units, join, partition

SLIM = {'stem_channels': 8, 'base_channels': 8}
VIT = NETWORKS['VisionTransformer'].cfg
CONVNEXT = NETWORKS['ConvNeXt'].cfg
MORE = {
    'ResNet-34': {'type': 'ResNet', 'depth': 34, **SLIM},
    'ResNet-101': {'type': 'ResNet', 'depth': 101, **SLIM},
    'ResNet-18 of three stages': {'type': 'ResNet', 'depth': 18, 'num_stages': 3,
                                  'strides': (1, 2, 2), 'dilations': (1, 1, 1),
                                  'out_indices': (2,), **SLIM},
    'ResNetV1c-50': {'type': 'ResNetV1c', 'depth': 50, **SLIM},
    'SEResNet-50': {'type': 'SEResNet', 'depth': 50, 'se_ratio': 2, **SLIM},
    'ResNeXt-50': {'type': 'ResNeXt', 'depth': 50, 'groups': 4, 'width_per_group': 4},
    'ResNet_CIFAR-18': {'type': 'ResNet_CIFAR', 'depth': 18, **SLIM},
    'ResNet-32': {'type': 'auglocal_mm.ResNetCIFAR', 'depth': 32},
    'ResNet-110': {'type': 'auglocal_mm.ResNetCIFAR', 'depth': 110},
    'VGG11 without norm and last pool': {'type': 'VGG', 'depth': 11, 'with_last_pool': False},
    'VGG19': {'type': 'VGG', 'depth': 19, 'norm_cfg': {'type': 'BN'}},
    'ImageNet MobileNetV2': {'type': 'MobileNetV2', 'widen_factor': 0.5},
    'ImageNet EfficientNet-B0': {'type': 'EfficientNet', 'arch': 'b0', 'drop_path_rate': 0.2},
    'EfficientNet-ES': {'type': 'EfficientNet', 'arch': 'es'},
    'ImageNet RegNetX-400MF': {'type': 'RegNet', 'arch': 'regnetx_400mf'},
    'RegNetX-400MF': {'type': 'auglocal_mm.RegNetCIFAR'},
    'DeiT-Small': {'type': 'VisionTransformer', 'arch': 'deit-small', 'img_size': 64},
    'averaging transformer': {**VIT, 'out_type': 'avg_featmap', 'with_cls_token': False},
    'map transformer': {**VIT, 'out_type': 'featmap', 'final_norm': False, 'drop_rate': 0.1},
    'ConvNeXt V2': {**CONVNEXT, 'use_grn': True, 'layer_scale_init_value': 0.0},
    'ConvNeXt with maps': {**CONVNEXT, 'gap_before_final_norm': False, 'drop_path_rate': 0.3},
}
BACKBONES = {name: network.build for name, network in NETWORKS.items()} | {
    name: Network(cfg, 0, walk_resnet).build for name, cfg in MORE.items()} | {
    'VGG13 with classifier': Network({
        'type': 'VGG', 'depth': 13, 'norm_cfg': {'type': 'BN'}, 'num_classes': 7}, 0, walk_resnet,
        twin=True).build}
#: Images that every network can take, and some that are not square.
SIZES = {'VGG13 with classifier': (224, 224), 'DeiT-Small': (64, 48), 'averaging transformer':
         (32, 48), 'VisionTransformer': (40, 32), 'map transformer': (32, 40)}


@pytest.fixture(autouse=True)
def _cheap_weights(monkeypatch):
    repeat_rows(monkeypatch)


def build(name, *, training=False, **more):
    torch.manual_seed(0)
    backbone = BACKBONES[name](**more)
    backbone.train(training)  # returns None in mmpretrain
    return backbone


def same(a, b):
    a, b = (x if isinstance(x, tuple) else (x,) for x in (a, b))
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b))


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize('name', BACKBONES)
def test_the_chain_is_the_backbones_forward(name, training):
    backbone = build(name, training=training)
    twin = copy.deepcopy(backbone)
    keys = list(backbone.state_dict())
    images = torch.randn(2, 3, *SIZES.get(name, (64, 40)))
    torch.manual_seed(1)
    expected = backbone(images)
    torch.manual_seed(1)
    got = join(partition(twin), twin)(images)
    assert type(got) is type(expected) and same(got, expected)
    assert list(twin.state_dict()) == keys
    assert same(tuple(backbone.state_dict().values()), tuple(twin.state_dict().values()))


@pytest.mark.parametrize('name', BACKBONES)
def test_layers_state_their_shape_and_own_every_parameter_once(name):
    backbone = build(name)
    layers = partition(backbone)
    side = max(SIZES.get(name, (64,)))
    x = torch.randn(1, 3, side, side)
    for layer in layers:
        y, _ = forward_units([layer], backbone, x)
        seen, before = feature_map(y), feature_map(x)
        assert seen.shape[1] == layer.channels, layer.name
        assert seen.shape[2] == -(-before.shape[2] // layer.stride), layer.name
        x = y
    owned = [id(parameter) for layer in layers for parameter in layer.parameters(backbone)]
    assert sorted(owned) == sorted(map(id, backbone.parameters()))
    assert len({layer.name for layer in layers}) == len(layers)
    stages = [layer.stage for layer in layers]
    assert stages == sorted(stages) and stages[0] == 1
    assert set(stages) == set(range(1, stages[-1] + 1))


@pytest.mark.parametrize('name', NETWORKS)
def test_units_are_those_found_by_hand(name):
    backbone = build(name)
    units, _ = NETWORKS[name].walk(backbone)
    layers = partition(backbone)
    assert [layer.name for layer in layers] == [unit for unit, _ in units]
    x = y = torch.randn(2, 3, 32, 32)
    for layer, (_, unit) in zip(layers, units):
        x, y = layer.forward(backbone, x), unit(y)
        assert torch.equal(x.values if isinstance(x, Tokens) else x, y), layer.name


@pytest.mark.parametrize(('name', 'units'), [
    ('ResNet-34', 17), ('ResNet-101', 34), ('ResNet-32', 16), ('ResNet-110', 55),
    ('VGG13 with classifier', 10), ('VGG19', 16), ('ImageNet MobileNetV2', 19),
    ('ImageNet EfficientNet-B0', 17),
    ('RegNetX-400MF', 23), ('DeiT-Small', 13)])
def test_number_of_units_is_the_papers(name, units):
    assert len(partition(build(name))) == units


def test_the_papers_regnet():
    layers = partition(build('RegNetX-400MF'))
    widths = [layer.channels for layer in layers[1:]]
    assert [(width, widths.count(width)) for width in sorted(set(widths))] == [
        (32, 1), (64, 2), (160, 7), (384, 12)]
    assert [layer.stride for layer in layers if layer.stride > 1] == [2, 2]


@pytest.mark.parametrize(('name', 'indices'), [
    ('ResNet-18', (0, 2, 3)), ('RegNet', (0, 2)), ('VGG11', (1, 3, 4)),
    ('VGG13 with classifier', (2, 5)), ('MobileNetV2', (1, 2, 4, 7)), ('MobileNetV2', (3,)),
    ('EfficientNet', (0, 2, 5, 6)), ('EfficientNet', (5,)), ('ConvNeXt', (0, 1, 2, 3)),
    ('VisionTransformer', [0, 3, 5]), ('map transformer', [1, 5]), ('ConvNeXt with maps', (1,))])
def test_outputs_of_several_stages_come_out(name, indices):
    backbone = build(name, out_indices=indices)
    images = torch.randn(1, 3, *SIZES.get(name, (32, 32)))
    assert same(join(partition(backbone), backbone)(images), backbone(images))


@pytest.mark.parametrize('name', [
    name for name in BACKBONES
    if name not in ('ResNet-101', 'ResNet-110', 'ResNet-34', 'Sequential', 'VGG19',
                    'SwinTransformer')])  # see partition/test_detector_backbones.py
def test_auxiliary_blocks_are_of_the_layers_own_kind(name):
    backbone = build(name)
    layer = partition(backbone)[-1]
    own = backbone.get_submodule(layer.name)
    tokens = 'ransformer' in name or 'DeiT' in name
    for width, stride in ((1, 1),) if tokens else ((1, 1), (2, 1), (2, 2)):
        channels = layer.channels // width
        block = layer.build_block(backbone, in_channels=channels, out_channels=layer.channels,
                                  stride=stride).eval()
        x = torch.randn(1, channels, 8, 8)
        if tokens:
            x = Tokens(torch.randn(1, 17, channels), (4, 4), 1)
        y = feature_map(block(x))
        assert y.shape[:2] == (1, layer.channels)
        assert tokens or y.shape[2:] == (8 // stride, 8 // stride)
        assert type(own) in {type(part) for part in block.modules()}
        assert not {id(p) for p in block.parameters()} & {id(p) for p in backbone.parameters()}
        assert all(p.requires_grad for p in block.parameters())


@pytest.mark.parametrize('name', ['ResNet-18', 'RegNet', 'MobileNetV2', 'EfficientNet', 'VGG11',
                                  'ResNeXt-50', 'ResNet-50'])
def test_blocks_can_be_wider_in_steps_of_their_granularity(name):
    backbone = build(name)
    layer = partition(backbone)[-1]
    for steps in (1, 3):
        channels = steps * layer.granularity
        block = layer.build_block(backbone, in_channels=layer.channels, out_channels=channels,
                                  stride=1)
        assert block.eval()(torch.randn(1, layer.channels, 4, 4)).shape[1] == channels


def test_fresh_blocks_have_new_weights_and_neither_drop_paths_nor_checkpoints():
    backbone = build('VisionTransformer', drop_path_rate=0.5, frozen_stages=6)
    layer = partition(backbone)[-1]
    block = layer.build_block(backbone, in_channels=12, out_channels=12, stride=1)
    own = backbone.layers[5]
    assert not torch.equal(block.layer.ffn.layers[1].weight, own.ffn.layers[1].weight)
    x = Tokens(torch.randn(2, 17, 12), (4, 4), 1)
    assert torch.equal(block(x).values, block(x).values)
    assert block.training and all(p.requires_grad for p in block.parameters())
    convnext = build('ConvNeXt', with_cp=True)
    twin = partition(convnext)[-1].build_block(convnext, in_channels=32, out_channels=32, stride=1)
    assert convnext.stages[3][0].with_cp and not twin.with_cp


# A Swin transformer freezes its mergings with the stage before, to which they do not belong here.
@pytest.mark.parametrize('name', [n for n, network in NETWORKS.items()
                                  if network.frozen and n != 'SwinTransformer'])
def test_frozen_stages_are_not_trainable(name):
    backbone = build(name, training=True, **NETWORKS[name].frozen)
    trainable = [layer.spec(backbone).trainable for layer in partition(backbone)]
    assert not trainable[0] and trainable[-1] and trainable == sorted(trainable)
    frozen = {id(p) for p in backbone.parameters() if not p.requires_grad}
    assert frozen == {id(p) for layer, learns in zip(partition(backbone), trainable)
                      if not learns for p in layer.parameters(backbone)}


def test_what_a_sequential_cannot_be():
    def refused(*parts):
        with pytest.raises(ValueError) as caught:
            partition(torch.nn.Sequential(*parts))
        return str(caught.value)

    conv = torch.nn.Conv2d(3, 4, 3)
    assert 'move pooling, flattening and the classifier to the neck and the head' in refused(
        conv, torch.nn.Flatten(), torch.nn.ReLU())
    assert 'at least one child with weights' in refused(torch.nn.ReLU())
    assert 'cannot be determined' in refused(conv, torch.nn.Conv2d(5, 4, 3))


def test_children_of_a_sequential_without_weights_join_the_unit_before():
    def conv(*channels):
        return torch.nn.Conv2d(*channels, 3, padding=1)

    net = torch.nn.Sequential(torch.nn.Identity(), conv(3, 4), torch.nn.ReLU(), conv(4, 4),
                              torch.nn.BatchNorm2d(4), torch.nn.MaxPool2d(2),
                              torch.nn.Sequential(conv(4, 8), torch.nn.ReLU()))
    layers = partition(net)
    assert [layer.paths for layer in layers] == [('0', '1', '2'), ('3', '4', '5'), ('6',)]
    assert [(layer.channels, layer.stride) for layer in layers] == [(4, 1), (4, 2), (8, 1)]
    assert layers[2].build_block is None and layers[1].build_block is not None


def test_norms_and_activations_with_weights_join_the_convolution_before():
    net = torch.nn.Sequential(
        torch.nn.BatchNorm2d(3), torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.GroupNorm(2, 8),
        torch.nn.PReLU(8), torch.nn.Conv2d(8, 8, 3, padding=1, groups=8),
        torch.nn.InstanceNorm2d(8, affine=True))
    assert [layer.paths for layer in partition(net)] == [
        ('0',), ('1', '2', '3'), ('4', '5')]


def test_an_unknown_backbone_is_refused_with_the_way_to_add_it():
    with pytest.raises(TypeError, match=r'Identity .*supported are .*ResNet.*partition\.register'):
        partition(torch.nn.Identity())


def test_a_forward_pass_of_its_own_is_refused():
    class Odd(ResNet):
        def forward(self, x):
            return super().forward(x.flip(-1))

    with pytest.raises(TypeError, match='does not know how to cut Odd'):
        partition(Odd(18))
    with pytest.raises(TypeError, match='does not know how to cut DistilledVisionTransformer'):
        partition(DistilledVisionTransformer(arch='deit-tiny', img_size=32))


def test_another_family_is_one_registered_function():
    class Mine(torch.nn.Sequential):
        pass

    marker = object()
    partition.register(Mine, lambda backbone: (marker,))
    assert partition(Mine()) == (marker,)
