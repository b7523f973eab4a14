"""Layers of auxiliary networks: poolings against references, networks from plans."""
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from networks import NETWORKS
from small import auglocal, network_classifier

from auglocal_mm.auxiliary.layers import average_pool
from auglocal_mm.plan import AuxiliaryPlan, Classifier, UnitRow
from auglocal_mm.rules import DGL, InfoPro, PredSim


@pytest.mark.parametrize('sides', [(32, 32), (8, 8), (7, 9), (1, 1), (24, 40)])
@pytest.mark.parametrize('size', [(2, 2), (4, 8), (1, 1)])
def test_average_pooling_is_the_adaptive_one(sides, size):
    x = torch.randn(2, 3, *sides, dtype=torch.float64)
    torch.testing.assert_close(average_pool(x, *size), F.adaptive_avg_pool2d(x, size))


@pytest.mark.parametrize(('rule', 'local'), [
    (DGL(), {'type': 'auglocal_mm.DGL'}), (PredSim(), {'type': 'auglocal_mm.PredSim'}),
    (InfoPro(), {'type': 'auglocal_mm.InfoPro'})])
def test_the_papers_networks_layer_by_layer(rule, local):
    """Output shapes after every layer of the first auxiliary network at 32x32."""
    model = network_classifier(NETWORKS['CIFAR ResNet-20'], local)
    x = torch.randn(2, 4, 32, 32)  # 4 channels where the paper has 16
    shapes = []
    for layer in model.auxiliary['stem'].eval().layers:
        x = layer(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == {
        DGL: [(4, 8, 8)] * 4 + [(16,), (16,), (16,), (4,)],
        PredSim: [(512,), (4,)],
        InfoPro: [(8, 16, 16), (8,), (128,), (4,)]}[type(rule)]


def test_an_auxiliary_network_of_auglocal_has_the_blocks_of_its_plan():
    model = network_classifier(NETWORKS['CIFAR ResNet-20'], auglocal(3))
    first, second, pooling, fc = model.auxiliary['stem'].layers
    assert [block.conv2.out_channels for block in (first, second)] == [8, 16]
    assert first.conv1.stride == second.conv1.stride == (2, 2)
    assert first.downsample is not None and fc.in_features == 16
    assert pooling(torch.ones(1, 16, 3, 3)).shape == (1, 16)


def test_no_weight_is_shared_between_networks_or_with_the_backbone():
    for network in ('CIFAR ResNet-20', 'VisionTransformer', 'ConvNeXt', 'Sequential'):
        model = network_classifier(NETWORKS[network], auglocal(3))
        seen = [id(p) for p in model.parameters()]
        assert len(seen) == len(set(seen))
        owned = [p.data_ptr() for p in model.parameters() if p.numel()]
        assert len(owned) == len(set(owned))


def test_what_cannot_be_built_is_refused():
    from auglocal_mm.auxiliary import BuildContext, build_auxiliary
    from auglocal_mm.auxiliary.layers import build_layer
    context = BuildContext(torch.nn.Identity(), {}, 10)
    row = UnitRow(name='stem', channels=4, stride=1, module=0)
    with pytest.raises(ValueError, match='stem has no auxiliary network in its plan'):
        build_auxiliary(row, context)
    with pytest.raises(ValueError, match='at least 1 class, got 0; give the task a num_classes'):
        build_layer(Classifier(), 4, BuildContext(torch.nn.Identity(), {}, 0))
    with pytest.raises(TypeError, match='a plan cannot hold a str'):
        build_layer('64R', 4, context)
    built = build_auxiliary(replace(row, auxiliaries=(AuxiliaryPlan((Classifier(),)),)), context)
    assert built.layers[0].out_features == 10
