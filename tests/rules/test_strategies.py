"""AugLocal's ablations: Table 5's strategies, chosen for each stage, and Table 8's loss."""
import pytest
from specs import resnet_cifar

from auglocal_mm.plan import UnitSpec
from auglocal_mm.rules import DGL, AugLocal


def networks(depth=110, **settings):
    plan = AugLocal(**{'depth': 6, 'tau': 0.5, **settings}).plan(resnet_cifar(depth))
    return {layer.name: layer.auxiliary for layer in plan.layers if layer.auxiliary}


def test_repetitive_blocks_are_the_units_own():
    plans = networks(selection='repetitive', downsample=False)
    assert plans['stem'].notation(10) == '16R-16R-16R-16R-16R-AP-10FC'
    assert [block.source for block in plans['stem'].blocks] == ['layer1.0'] * 5
    assert plans['layer2.3'].blocks[0].source == 'layer2.3'
    for name, auxiliary in plans.items():
        width = {'layer2': 32, 'layer3': 64}.get(name.split('.')[0], 16)
        assert {block.channels for block in auxiliary.blocks} == {width}
        assert set(auxiliary.strides) == {1}


def test_repetitive_networks_with_downsampling_halve_in_their_first_block():
    for auxiliary in networks(selection='repetitive').values():
        assert auxiliary.strides == (2,) + (1,) * (len(auxiliary.blocks) - 1)


def test_each_stage_has_its_own_strategy():
    plans = networks(selection=('uniform', 'repetitive', 'uniform'),
                     downsample=(True, False, True))
    uniform = networks()
    for name, auxiliary in plans.items():
        if name.startswith('layer2'):
            assert {block.channels for block in auxiliary.blocks} == {32}
            assert set(auxiliary.strides) == {1}
        else:
            assert auxiliary == uniform[name]


def test_dgls_network_can_be_one_stages_strategy():
    plans = networks(selection=('dgl', 'uniform', 'uniform'))
    own = DGL().plan(resnet_cifar(110)).layers[0].auxiliary
    assert plans['stem'].layers == plans['layer1.17'].layers == own.layers
    assert plans['layer2.0'] == networks()['layer2.0']


def test_the_papers_convolutions():
    """Table 5, the sixth row: AP-cC3 x6-AP-10FC."""
    plans = networks(depth=110, selection='repetitive', block='conv3x3', tau=0.0) | {}
    six = AugLocal(depth=7, tau=0.0, selection='repetitive', block='conv3x3').plan(
        resnet_cifar(110)).layers[30].auxiliary
    assert six.notation(10) == 'AP-' + '32C3-' * 6 + 'AP-10FC'
    assert plans['layer3.2'].notation(10) == 'AP-' + '64C3-' * 5 + 'AP-10FC'


def test_convolutions_stand_for_uniformly_chosen_units():
    convs, blocks = networks(block='conv3x3', batch_norm_before_fc=False), networks()
    for name, auxiliary in convs.items():
        assert auxiliary.strides == blocks[name].strides
        assert [layer.channels for layer in auxiliary.layers if hasattr(layer, 'channels')] == [
            block.channels for block in blocks[name].blocks]


def test_sequential_networks_copy_what_follows():
    plans = networks(selection='sequential', depth=32)
    assert [block.source for block in plans['layer1.3'].blocks][:3] == [
        'layer1.4', 'layer2.0', 'layer2.1']
    assert plans['layer1.3'].strides[:3] == (1, 2, 1)


def test_width_scales_channels_to_what_a_block_can_have():
    assert networks(width=0.5)['stem'].blocks[-1].channels == 32
    layers = [UnitSpec('stem', 32, 1), *(
        UnitSpec(f'b{i}', 160, 1, granularity=16) for i in range(5))]
    plan = AugLocal(depth=2, width=0.45).plan(layers)
    assert plan.layers[1].auxiliary.blocks[0].channels == 64  # 72 is no multiple of 16


def test_a_second_loss_has_weights_linear_in_depth():
    plans = list(networks(second_loss='reconstruction', lambda1=(5, 0.5),
                          lambda2=(0, 1)).values())
    assert (plans[0].second.name, plans[0].second.weight, plans[0].weight) == (
        'reconstruction', 5, 0)
    assert plans[-1].second.weight == pytest.approx(0.5) and plans[-1].weight == 1
    assert plans[12].second.weight == pytest.approx(5 - 4.5 * 12 / 48)


def test_vgg_heads_have_512_hidden_neurons():
    layers = [UnitSpec(f'conv{i}', 64 << i // 2, 1, symbol='C3') for i in range(6)]
    plan = AugLocal(depth=3, head='mlp', init='pytorch', modules=6).plan(layers)
    assert plan.layers[0].auxiliary.notation(1000) == '128C3-256C3-AP-512FC-512FC-1000FC'
    assert plan.layers[0].auxiliary.init == 'pytorch'


def test_vgg_networks_pool_once_at_each_change_of_channels():
    """Section 4: from 64 to 512 channels is one change, and one max pooling."""
    layers = [UnitSpec(f'c{i}', width, 1, symbol='C3', halves_with_width=True)
              for i, width in enumerate((64, 64, 128, 128, 256, 256, 512, 512, 512, 512))]
    plan = AugLocal(depth=4, tau=0.0, modules=10).plan(layers)
    assert plan.layers[0].auxiliary.notation(10) == '128C3-512C3-512C3-AP-10FC'
    assert plan.layers[0].auxiliary.strides == (2, 2, 1)


def test_networks_of_one_width_halve_where_their_units_do():
    layers = [UnitSpec(f'c{i}', 8, stride) for i, stride in enumerate((1, 2, 1, 2, 1))]
    plan = AugLocal(depth=3, tau=0.0, modules=5).plan(layers)
    assert plan.layers[0].auxiliary.strides == (2, 2)


def test_convolutions_need_no_block_to_be_like():
    layers = [UnitSpec(f'c{i}', 8, 1, repeatable=False) for i in range(4)]
    plan = AugLocal(depth=2, selection='repetitive', block='conv3x3', width=1.5).plan(layers)
    assert plan.layers[0].auxiliary.notation(10) == 'AP-12C3-AP-10FC'


@pytest.mark.parametrize(('settings', 'said'), [
    ({'selection': 'random'}, "selection must be one of 'uniform', .* got 'random'"),
    ({'selection': ['uniform', 'x', 'uniform']}, "got 'x'"),
    ({'downsample': 2}, 'downsample must be one of True, False, got 2'),
    ({'block': 'conv5x5'}, "got 'conv5x5'"),
    ({'width': 0}, 'width must be a number above 0'),
    ({'head': 'none'}, "head must be one of 'linear', 'mlp'"),
    ({'init': 'zeros'}, "init must be one of 'kaiming', 'pytorch'"),
    ({'second_loss': 'recon', 'lambda1': (1, 1)}, "one of 'reconstruction', 'similarity'"),
    ({'second_loss': 'similarity'}, 'set both or none'),
    ({'lambda1': (1, 1)}, 'set both or none'),
    ({'lambda2': (1,)}, r'lambda2 must be \(first, last\)'),
    ({'lambda2': (-1, 1)}, 'two numbers of at least 0'),
])
def test_impossible_settings_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        AugLocal(depth=3, **settings)


def test_settings_for_each_stage_must_be_as_many_as_stages():
    with pytest.raises(ValueError, match='selection must be one value or 3, one per stage'):
        AugLocal(depth=3, selection=('uniform', 'repetitive')).plan(resnet_cifar(32))
