"""The channels-last hook changes the layout of weights and features, and no gradient."""
import math
from types import SimpleNamespace

import pytest
import torch
from networks import NETWORKS
from small import KeepGradients, auglocal, batch, classifier, in_float64, network_classifier
from torch import nn

from auglocal_mm import AugLocalOptimWrapper, ChannelsLastHook
from auglocal_mm.execution.steps import drive
from auglocal_mm.models.global_pooling import GlobalPooling, keep_layout_in_pooling

#: Wide enough for channels last in float32 on a CPU.
WIDE = {'type': 'auglocal_mm.ResNetCIFAR', 'depth': 20, 'stem_channels': 16, 'base_channels': 16}
WIDE_HEAD = {'type': 'LinearClsHead', 'num_classes': 4, 'in_channels': 64}


def convert(model: nn.Module) -> nn.Module:
    ChannelsLastHook().before_run(SimpleNamespace(model=model))
    return model


def wide(local=None) -> nn.Module:
    return classifier(local or auglocal(2), backbone=WIDE, head=WIDE_HEAD)


def gradients_of(model: nn.Module, data) -> dict[str, torch.Tensor]:
    optimizer = KeepGradients(model)
    torch.manual_seed(0)
    model.train_step(data, AugLocalOptimWrapper(optimizer))
    return optimizer.seen[0]


def compare(measured, expected, tolerance: float) -> None:
    """Each gradient's error is at most a part of its norm, as sums in another order give."""
    assert expected.keys() == measured.keys()
    for key, gradient in expected.items():
        error = float((measured[key] - gradient).norm())
        assert error <= tolerance * float(gradient.norm()) + 1e-12, key


def is_channels_last(x: torch.Tensor) -> bool:
    return x.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize('name', sorted(NETWORKS))
def test_gradients_of_every_family_are_those_of_the_usual_layout(name):
    network = NETWORKS[name]
    data = batch(side=network.side, dtype=torch.float64)
    usual, other = (in_float64(network_classifier(network, auglocal(2))) for _ in range(2))
    compare(gradients_of(convert(other), data), gradients_of(usual, data), 1e-9)


@pytest.mark.parametrize('local', [auglocal(2), {'type': 'auglocal_mm.Backprop'}],
                         ids=['auglocal', 'backprop'])
def test_gradients_in_float32(local):
    # Rounding can carry single values across a ReLU's kink, which is some percent of a small
    # gradient. Mixed-up channels would be off by more than the gradient's norm.
    compare(gradients_of(convert(wide(local)), batch()), gradients_of(wide(local), batch()), 0.1)


@pytest.mark.parametrize('local', [auglocal(2), {'type': 'auglocal_mm.Backprop'}],
                         ids=['auglocal', 'backprop'])
def test_features_and_gradients_are_channels_last_from_end_to_end(local):
    model = convert(wide(local))
    features, gradients = {}, {}

    def look(name, output):
        features[name] = is_channels_last(output)
        output.register_hook(
            lambda gradient: gradients.update({name: is_channels_last(gradient)}))

    norms = {name: module for name, module in model.named_modules()
             if isinstance(module, nn.Conv2d | nn.BatchNorm2d)}
    for name, module in norms.items():
        module.register_forward_hook(
            lambda _, inputs, output, name=name: look(name, output))
    data = batch()
    assert not is_channels_last(data['inputs'])
    model.train_step(data, AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), 0.1)))
    assert set(features) == set(gradients) == set(norms)
    assert all(features.values())
    assert [name for name, right in gradients.items() if not right] == []


def test_carries_are_channels_last():
    model = convert(wide())
    steps = model.local_steps(batch()['inputs'], batch()['data_samples'])
    carry = drive(steps, lambda step: None)
    assert is_channels_last(carry.features)


@pytest.mark.parametrize('shape', [(2, 3, 4, 5), (1, 16, 7, 7), (3, 4, 1, 1), (2, 1, 3, 3)])
@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last],
                         ids=['usual', 'channels last'])
def test_the_pooling_computes_what_torchs_does(shape, layout):
    results = []
    for pool in (nn.AdaptiveAvgPool2d(1), GlobalPooling()):
        x = torch.arange(float(math.prod(shape))).sin().view(shape).contiguous(
            memory_format=layout).requires_grad_()
        pooled = pool(x)
        pooled.pow(2).sum().backward()
        results.append((pooled, x.grad))
    (expected, gradient), (pooled, ours) = results
    assert torch.equal(pooled, expected)
    assert torch.equal(ours, gradient)


def test_only_global_poolings_are_replaced():
    class Own(nn.AdaptiveAvgPool2d):
        pass

    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.AdaptiveAvgPool2d((1, 1)),
                          nn.AdaptiveAvgPool2d(2), Own(1)).eval()
    keep_layout_in_pooling(model)
    assert [type(each) for each in model] == [
        GlobalPooling, GlobalPooling, nn.AdaptiveAvgPool2d, Own]
    assert not model[0].training


def test_a_checkpoint_serves_both_layouts():
    plain, other = wide(), convert(wide())
    assert not is_channels_last(plain.backbone.conv1.weight)
    other.load_state_dict(plain.state_dict())
    assert is_channels_last(other.backbone.conv1.weight)
    for key, value in other.state_dict().items():
        assert torch.equal(value, plain.state_dict()[key]), key


def test_operators_of_mmcv_are_refused():
    """Compiled, they read features by address and would return other channels' values."""
    from mmcv.ops import RoIAlign

    model = nn.ModuleDict({'backbone': nn.Conv2d(3, 16, 3), 'roi_layer': RoIAlign(7)})
    with pytest.raises(ValueError, match='roi_layer: operators of mmcv misread'):
        convert(model)


def test_a_network_whose_backward_pass_would_corrupt_memory_is_refused():
    """Without the check this network ends the process: ``free(): invalid next size``."""
    narrow = classifier(auglocal(3))
    before = {key: value.stride() for key, value in narrow.state_dict().items()}
    with pytest.raises(ValueError, match=r'layer2\.0\.downsample\.0.*at least 16 input channels'):
        convert(narrow)
    assert before == {key: value.stride() for key, value in narrow.state_dict().items()}
    convert(narrow.double())
