"""DGL, PredSim, InfoPro and Backprop: networks, weights and knobs of section 4."""
import pytest
from hypothesis import given
from hypothesis import strategies as st
from specs import resnet_cifar

from auglocal_mm.plan import Conv, FixedPooling, Linear
from auglocal_mm.registry import LOCAL_RULES
from auglocal_mm.rules import DGL, Backprop, InfoPro, PredSim, build_rule
from auglocal_mm.rules.predsim import pooling_to_fit

UNITS = {16: 0, 32: 20, 64: 40}


def auxiliary(rule, channels, depth=110):
    return rule.plan(resnet_cifar(depth)).layers[UNITS[channels]].auxiliary


@pytest.mark.parametrize('rule', [DGL(), PredSim(), InfoPro()])
@pytest.mark.parametrize('depth', [32, 110])
def test_every_unit_but_the_last_is_taught(rule, depth):
    plan = rule.plan(resnet_cifar(depth))
    assert plan.units == plan.modules == {32: 16, 110: 55}[depth]
    assert all(layer.auxiliary for layer in plan.layers[:-1]) and not plan.layers[-1].auxiliary


def test_dgls_network():
    for channels in UNITS:
        assert auxiliary(DGL(), channels).notation(10) == (
            f'AP-{channels}C1-{channels}C1-{channels}C1-AP-'
            f'{4 * channels}FC-{4 * channels}FC-10FC')
    layers = auxiliary(DGL(), 16).layers
    assert Linear(64, norm=True, bias=False) in layers
    assert layers[4] == FixedPooling(2, 2)


@pytest.mark.parametrize(('depth', 'convs', 'linears'), [
    (2, 1, 0), (3, 1, 1), (4, 1, 2), (5, 2, 2), (6, 3, 2), (8, 5, 2)])
def test_dgls_knobs(depth, convs, linears):
    plan = auxiliary(DGL(depth=depth, kernel_size=3, width=1.5), 32)
    assert plan.depth == depth
    assert [layer for layer in plan.layers if isinstance(layer, Conv)] == [Conv(48, 3)] * convs
    assert [layer.features for layer in plan.layers if isinstance(layer, Linear)] == [
        192] * linears


@pytest.mark.parametrize(('channels', 'size'), [
    (16, (4, 8)), (32, (4, 4)), (64, (2, 4)), (512, (1, 1)), (2048, (1, 1)), (24, (4, 4)),
    (1, (16, 32))])
def test_predsims_pooling_by_hand(channels, size):
    pooling = pooling_to_fit(channels)
    assert (pooling.height, pooling.width) == size


@given(st.integers(1, 4096))
def test_predsims_pooling_is_the_largest_that_fits(channels):
    pooling = pooling_to_fit(channels)
    positions = pooling.height * pooling.width
    assert channels * positions <= 512 or positions == 1
    assert channels * positions * 2 > 512


def test_predsims_weights_and_knobs():
    plan = auxiliary(PredSim(), 16)
    assert plan.notation(10) == 'AP-10FC' and plan.depth == 1
    assert (plan.weight, plan.second.weight, plan.second.name) == (0.01, 0.99, 'similarity')
    deep = auxiliary(PredSim(depth=3, kernel_size=5, width=2), 16)
    assert deep.notation(10) == '32C5-32C5-AP-10FC'


@pytest.mark.parametrize(('channels', 'conv'), [
    (16, Conv(32, 3, 2)), (32, Conv(64, 3, 2)), (64, Conv(64, 3, 1))])
def test_infopros_network(channels, conv):
    plan = auxiliary(InfoPro(), channels)
    assert plan.layers[0] == conv
    assert plan.notation(10) == f'{conv.channels}C3-AP-128FC-10FC'
    assert Linear(128, norm=False) in plan.layers and plan.classifies
    embedding = auxiliary(InfoPro(loss='contrast'), channels)
    assert embedding.notation(10) == f'{conv.channels}C3-AP-128FC-128FC'
    assert not embedding.classifies


@pytest.mark.parametrize(('rule', 'first', 'last'), [
    (InfoPro(), (5, 0), (0.5, 1)),
    (InfoPro(lambda1=(5, 0.2), lambda2=(0.05, 0.5)), (5, 0.05), (0.2, 0.5))])
def test_infopros_weights(rule, first, last):
    plans = [layer.auxiliary for layer in rule.plan(resnet_cifar(110)).layers if layer.auxiliary]
    assert (plans[0].second.weight, plans[0].weight) == first
    assert (plans[-1].second.weight, plans[-1].weight) == pytest.approx(last)
    assert {plan.second.name for plan in plans} == {'reconstruction'}


def test_infopros_knobs():
    assert auxiliary(InfoPro(depth=2), 16).notation(10) == '32C3-AP-10FC'
    deep = auxiliary(InfoPro(depth=5, kernel_size=1, width=2), 16)
    assert deep.notation(10) == '64C1-64C1-64C1-AP-128FC-10FC' and deep.depth == 5


@pytest.mark.parametrize('rule', [DGL, PredSim, InfoPro])
def test_modules_are_split_evenly(rule):
    plan = rule(modules=4).plan(resnet_cifar(32))
    assert [layer.module for layer in plan.layers] == [i // 4 for i in range(16)]
    assert [bool(layer.auxiliary) for layer in plan.layers] == [
        i in (3, 7, 11) for i in range(16)]


def test_a_rule_can_hand_its_settings_on():
    class Extended(DGL):
        def __init__(self, extra=1, **settings):
            super().__init__(**settings)
            self.extra = extra

    LOCAL_RULES.register_module(module=Extended)
    try:
        rule = build_rule({'type': 'Extended', 'extra': 2, 'width': 2.0})
        assert (rule.extra, rule.width) == (2, 2.0)
    finally:
        LOCAL_RULES.module_dict.pop('Extended')


def test_back_propagation_is_one_module():
    plan = Backprop().plan(resnet_cifar(32))
    assert plan.modules == 1 and not any(layer.auxiliary for layer in plan.layers)


@pytest.mark.parametrize(('build', 'said'), [
    (lambda: DGL(depth=1), 'depth must be an integer of at least 2'),
    (lambda: DGL(kernel_size=2), 'kernel_size must be an odd integer'),
    (lambda: DGL(width=-1), 'width must be a number above 0'),
    (lambda: DGL(modules=1), "type='auglocal_mm.Backprop'"),
    (lambda: PredSim(depth=0), 'at least 1'),
    (lambda: PredSim(lambda1=0.99), r'lambda1 must be \(first, last\)'),
    (lambda: InfoPro(loss='mse'), "loss must be one of 'softmax', 'contrast', got 'mse'"),
    (lambda: InfoPro(lambda2=('0', 1)), 'lambda2 must be'),
])
def test_impossible_settings_are_refused(build, said):
    with pytest.raises(ValueError, match=said):
        build()


def test_all_faults_are_named_at_once():
    with pytest.raises(ValueError, match='(?s)loss.*lambda1.*lambda2.*depth.*kernel.*width.*mod'):
        InfoPro('x', 1, 2, 0, 2, 0, 0)
