"""Plans: hand-computed cases, then properties over all settings."""
import json
import math
import subprocess
import sys
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from specs import resnet34, resnet_cifar

from auglocal_mm.plan import (
    UnitSpec,
    block_strides,
    downsampling_levels,
    even_modules,
    isolated_modules,
    linear_weights,
    pyramidal_blocks,
    sequential_selection,
    uniform_selection,
)
from auglocal_mm.rules import AugLocal


@pytest.mark.parametrize(('unit', 'blocks', 'units', 'chosen'), [
    (0, 1, 16, (15,)),
    (0, 2, 16, (8, 15)),             # 7.5 rounds to the even 8
    (1, 2, 16, (8, 15)),             # 1 + 7 exactly
    (3, 4, 16, (6, 9, 12, 15)),
    (4, 2, 17, (10, 16)),
    (2, 2, 17, (9, 16)),
    (5, 2, 16, (10, 15)),
    (1, 4, 55, (14, 28, 41, 54)),    # 14.25, 27.5, 40.75
    (3, 2, 16, (9, 15)),
    (12, 3, 16, (13, 14, 15)),       # as many as remain
    (14, 5, 16, (15,)),
])
def test_uniform_selection_by_hand(unit, blocks, units, chosen):
    assert uniform_selection(unit, blocks, units) == chosen


@given(st.data())
def test_uniform_selection_is_spread_evenly_up_to_the_last_unit(data):
    units = data.draw(st.integers(2, 80))
    unit = data.draw(st.integers(0, units - 2))
    blocks = data.draw(st.integers(1, 90))
    chosen = uniform_selection(unit, blocks, units)
    assert len(chosen) == min(blocks, units - 1 - unit)
    assert chosen[-1] == units - 1
    assert list(chosen) == sorted(set(chosen)) and chosen[0] > unit
    gaps = [b - a for a, b in zip((unit, *chosen), chosen)]
    assert max(gaps) - min(gaps) <= 2
    step = (units - 1 - unit) / len(chosen)
    assert all(abs(index - unit - step * (j + 1)) <= 0.5 + 1e-9 for j, index in enumerate(chosen))


@pytest.mark.parametrize(('blocks', 'tau', 'modules', 'counts'), [
    (3, 0.0, 6, (3, 3, 3, 3, 3)),
    (5, 1.0, 6, (5, 4, 3, 2, 1)),
    (5, 0.5, 6, (5, 4, 4, 4, 3)),          # 5, 4.5, 4, 3.5, 3: halves go to even
    (2, 1.0, 4, (2, 2, 1)),                # 1.5 goes to 2
    (4, 1.0, 2, (4,)),                     # the published formula would divide by 0
    (4, 0.5, 3, (4, 2)),                   # 2.5 goes to 2
    (1, 1.0, 5, (1, 1, 1, 1)),
])
def test_pyramid_by_hand(blocks, tau, modules, counts):
    assert pyramidal_blocks(blocks, tau, modules) == counts


@given(st.integers(1, 9), st.floats(0, 1), st.integers(2, 60))
def test_pyramid_falls_from_b_to_its_end(blocks, tau, modules):
    counts = pyramidal_blocks(blocks, tau, modules)
    assert len(counts) == modules - 1
    assert counts[0] == blocks
    assert list(counts) == sorted(counts, reverse=True)
    if modules > 2:
        assert abs(counts[-1] - (blocks * (1 - tau) + tau)) <= 0.5 + 1e-9


def test_strides_pay_one_halving_a_block():
    levels = downsampling_levels(resnet_cifar(32))
    assert levels == (0,) * 6 + (1,) * 5 + (2,) * 5
    assert block_strides(0, (15,), levels) == (2,)           # one of two is dropped
    assert block_strides(0, (8, 15), levels) == (2, 2)
    assert block_strides(0, (5, 15), levels) == (1, 2)
    assert block_strides(0, (11, 13, 15), levels) == (2, 2, 1)
    assert block_strides(7, (10, 15), levels) == (1, 2)
    assert block_strides(12, (13, 14), levels) == (1, 1)


def test_levels_count_halvings_where_widths_are_no_powers_of_two():
    layers = [UnitSpec('stem', 32, 1), UnitSpec('a', 16, 1), UnitSpec('b', 24, 2),
              UnitSpec('c', 96, 2), UnitSpec('d', 320, 1)]
    assert downsampling_levels(layers) == (0, 0, 1, 2, 2)


@pytest.mark.parametrize('depth', [32, 110])
@pytest.mark.parametrize('d', range(2, 10))
@pytest.mark.parametrize('tau', [0, 0.5, 0.6, 0.7, 0.8, 0.9, 1])
def test_cifar_plans_have_the_papers_shape(depth, d, tau):
    layers = resnet_cifar(depth)
    plan = AugLocal(depth=d, tau=tau).plan(layers)
    units = len(layers)
    assert (plan.units, plan.modules) == (units, units - (d - 1))
    assert [layer.module for layer in plan.layers] == [min(u, units - d) for u in range(units)]
    auxiliaries = [layer.auxiliary for layer in plan.layers[:units - d]]
    assert all(auxiliaries) and not any(layer.auxiliary for layer in plan.layers[units - d:])
    assert auxiliaries[0].depth == d
    for layer, auxiliary in zip(plan.layers, auxiliaries):
        assert auxiliary.blocks[-1].source == layers[-1].name
        assert auxiliary.blocks[-1].channels == layers[-1].channels
        assert auxiliary.batch_norm_before_fc == (len(auxiliary.blocks) == 1)
        halvings = sum(block.stride == 2 for block in auxiliary.blocks)
        owed = (layers[-1].channels // layer.channels).bit_length() - 1
        assert halvings == min(owed, len(auxiliary.blocks)) or auxiliary.blocks[-1].stride == 2


def test_imagenet_plan_isolates_every_layer():
    plan = AugLocal(depth=5, tau=0.0, modules=17, batch_norm_before_fc=False).plan(resnet34())
    assert (plan.units, plan.modules) == (17, 17)
    stem = plan.layers[0].auxiliary
    assert [(b.source, b.channels, b.stride) for b in stem.blocks] == [
        ('layer2.0', 128, 2), ('layer3.0', 256, 2), ('layer3.4', 256, 1), ('layer4.2', 512, 2)]
    assert [layer.auxiliary.depth for layer in plan.layers[:-1]] == [5] * 13 + [4, 3, 2]
    assert not any(layer.auxiliary.batch_norm_before_fc for layer in plan.layers[:-1])


@given(st.data())
def test_modules_are_runs_that_cover_all_units(data):
    units = data.draw(st.integers(2, 80))
    modules = data.draw(st.integers(2, units))
    runs = even_modules(units, modules)
    sizes = [runs.count(module) for module in range(modules)]
    assert len(runs) == units and list(runs) == sorted(runs)
    assert min(sizes) >= 1 and max(sizes) - min(sizes) <= 1
    assert even_modules(units, units) == tuple(range(units))
    blocks = data.draw(st.integers(1, units - 1))
    isolated = isolated_modules(units, blocks)
    assert isolated[-1] + 1 == units - blocks and isolated.count(isolated[-1]) == blocks + 1


def test_frozen_layers_get_no_auxiliary_and_do_not_count_in_the_pyramid():
    layers = [UnitSpec(spec.name, spec.channels, spec.stride, trainable=index >= 6)
              for index, spec in enumerate(resnet_cifar(32))]
    plan = AugLocal(depth=4, tau=1.0).plan(layers)
    assert not any(layer.auxiliary for layer in plan.layers[:6])
    assert [len(layer.auxiliary.blocks) for layer in plan.layers[6:12]] == list(
        pyramidal_blocks(3, 1.0, 7))


@pytest.mark.parametrize('d', range(2, 10))
def test_blocks_of_a_whole_resnet110_by_hand(d):
    """Where τ = 1, b_i = b − (b − 1)·i/48 at d = 6 has ties at 4.5, 3.5, 2.5 and 1.5."""
    counts = [len(layer.auxiliary.blocks) for layer in
              AugLocal(depth=d, tau=1.0).plan(resnet_cifar(110)).layers if layer.auxiliary]
    last = 55 - (d - 1) - 2
    exact = [Fraction(d - 1) - Fraction((d - 2) * i, last) for i in range(last + 1)]
    assert counts == [max(1, round(value)) for value in exact]  # a Fraction rounds half to even
    if d == 6:
        assert counts == [5] * 6 + [4] * 13 + [3] * 11 + [2] * 13 + [1] * 6


@pytest.mark.parametrize(('blocks', 'units'), [(1, 55), (2, 55), (3, 16), (4, 55), (5, 16)])
def test_selection_rounds_half_to_even(blocks, units):
    """Against exact fractions; half-up would choose other units."""
    def chosen(unit, rounding):
        return tuple(rounding(unit + Fraction((units - 1 - unit) * j, blocks))
                     for j in range(1, blocks + 1))

    differs = 0
    for unit in range(units - 1 - blocks):
        got = uniform_selection(unit, blocks, units)
        assert got == chosen(unit, round)
        differs += got != chosen(unit, lambda value: math.floor(value + Fraction(1, 2)))
    assert differs > 0 if blocks in (2, 4) else differs == 0


@given(st.integers(2, 80), st.integers(0, 78), st.integers(1, 9))
def test_sequential_selection_is_what_follows(units, unit, blocks):
    unit = min(unit, units - 2)
    chosen = sequential_selection(unit, blocks, units)
    assert chosen == tuple(range(unit + 1, units))[:blocks]


@given(st.tuples(st.floats(0, 9), st.floats(0, 9)), st.integers(0, 60))
def test_weights_are_linear_from_first_to_last(ends, count):
    weights = linear_weights(ends, count)
    assert len(weights) == count
    if count:
        assert weights[0] == ends[0]
    if count > 1:
        assert weights[-1] == pytest.approx(ends[1])
        steps = [b - a for a, b in zip(weights, weights[1:])]
        assert max(steps) - min(steps) <= 1e-9


@pytest.mark.parametrize(('settings', 'said'), [
    ({'depth': 1}, 'depth must be an integer of at least 2'),
    ({'depth': 2.5}, 'got 2.5'),
    ({'depth': True}, 'got True'),
    ({'depth': 3, 'tau': 1.5}, r'tau must be in \[0, 1\].* got 1.5'),
    ({'depth': 3, 'tau': -0.1}, 'got -0.1'),
    ({'depth': 3, 'tau': float('nan')}, 'got nan'),
    ({'depth': 3, 'modules': 1}, 'back-propagation'),
    ({'depth': 3, 'batch_norm_before_fc': 'yes'}, "got 'yes'"),
])
def test_impossible_settings_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        AugLocal(**settings)


def test_all_faults_are_named_at_once():
    with pytest.raises(ValueError, match=r'(?s)depth.*tau.*modules'):
        AugLocal(depth=0, tau=2, modules=0)


def test_settings_that_do_not_fit_the_backbone_are_refused():
    with pytest.raises(ValueError, match='modules must be at most 16, one per unit, got 17'):
        AugLocal(depth=3, modules=17).plan(resnet_cifar(32))
    with pytest.raises(ValueError, match='depth must be at most 15 .* got 16'):
        AugLocal(depth=16).plan(resnet_cifar(32))


def test_plans_compare_print_and_turn_into_json():
    plan, same = (AugLocal(depth=3).plan(resnet_cifar(32)) for _ in range(2))
    assert plan == same and hash(plan) == hash(same)
    assert plan != AugLocal(depth=4).plan(resnet_cifar(32))
    content = json.loads(json.dumps(plan.to_dict()))
    assert content['units'] == 16 and content['modules'] == 14
    assert content['layers'][0] == {
        'name': 'stem', 'channels': 16, 'stride': 1, 'module': 0,
        'auxiliary': {
            'notation': '32R-64R-AP-FC', 'depth': 3, 'batch_norm_before_fc': False,
            'weight': 1.0, 'second': None, 'blocks': [
                {'source': 'layer2.2', 'channels': 32, 'stride': 2, 'symbol': 'R'},
                {'source': 'layer3.4', 'channels': 64, 'stride': 2, 'symbol': 'R'}]}}
    assert content['layers'][-1]['auxiliary'] is None
    lines = str(plan).splitlines()
    assert lines[0] == '16 units in 14 local modules'
    assert '32R-64R-AP-FC' in lines[3] and lines[3].endswith('2 2')


def test_planning_needs_no_torch():
    code = 'import sys, auglocal_mm.plan; sys.exit("torch" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0
