"""The best cut against every cut, and what a module costs."""
from itertools import combinations
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auglocal_mm.plan import (
    AuxiliaryPlan,
    Classifier,
    Cost,
    Costs,
    SecondLoss,
    balanced_modules,
    network_key,
)


def every_cut(units, modules):
    for inner in combinations(range(1, units), modules - 1):
        yield (*inner, units)


@st.composite
def problems(draw):
    """Numbers of units and modules, and any cost of a module, often equal or impossible."""
    units = draw(st.integers(1, 7))
    modules = draw(st.integers(1, units))
    value = st.one_of(st.integers(0, 3), st.just(inf))
    return units, modules, {
        (module, start, stop): draw(value) for module in range(modules)
        for start in range(units) for stop in range(start + 1, units + 1)}


@given(problems())
def test_no_cut_is_better(problem):
    """Compared from the largest module on; equal cuts by their ends."""
    units, modules, table = problem

    def rank(ends):
        costs = [table[module, start, stop] for module, (start, stop) in enumerate(
            zip((0, *ends), ends, strict=False))]
        return sorted(costs, reverse=True), ends

    best = min(map(rank, every_cut(units, modules)))
    got = balanced_modules(units, modules, lambda *module: table[module])
    if best[0][0] == inf:
        assert got is None
    else:
        ends = tuple(got.index(module + 1) for module in range(modules - 1))
        assert rank((*ends, units)) == best and got[-1] == modules - 1


COSTS = Costs(
    units=(Cost(kept=frozenset({(0, 5), (1, 10)}), flops=3),
           Cost(kept=frozenset({(1, 10), (2, 20)}), flops=4), Cost(flops=5)),
    networks={network_key(1, AuxiliaryPlan((Classifier(),))): Cost(
        kept=frozenset({(2, 20), (3, 1)}), flops=7)},
    head=Cost(kept=frozenset({(9, 100)}), flops=50),
    outputs=(frozenset({(1, 10)}), frozenset(), frozenset({(8, 7)})))


@pytest.mark.parametrize(('start', 'stop', 'auxiliaries', 'size', 'flops'), [
    (0, 2, [], 35, 7),
    (0, 2, [(1, AuxiliaryPlan((Classifier(),), weight=0.3))], 36, 14),
    # What the first unit returns is held for the head, whoever made it.
    (1, 2, [], 30, 4),
    (2, 3, [], 10 + 7 + 100, 55),
])
def test_a_module_counts_what_its_parts_share_once(start, stop, auxiliaries, size, flops):
    cost = COSTS.module(start, stop, auxiliaries)
    assert (cost.bytes, cost.flops) == (size, flops)


def test_networks_differ_by_unit_layers_and_second_loss_alone():
    plan = AuxiliaryPlan((Classifier(),))
    assert network_key(1, plan) == network_key(1, AuxiliaryPlan((Classifier(),), weight=0.1))
    others = [AuxiliaryPlan((Classifier(),), second=SecondLoss('similarity', 1.0)),
              AuxiliaryPlan((Classifier(), Classifier()))]
    keys = {network_key(1, plan), network_key(2, plan), *(network_key(1, each) for each in others)}
    assert len(keys) == 4
