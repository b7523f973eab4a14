"""Rules that cut a backbone by what its units cost: settings, and the plan that they choose."""
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from specs import resnet_cifar

from auglocal_mm.plan import Cost, Costs, LocalPlan, UnitSpec, network_key
from auglocal_mm.rules import DGL, AugLocal, InfoPro, PredSim

UNITS = resnet_cifar(20)
RULES = {'AugLocal': lambda **more: AugLocal(depth=4, tau=1.0, **more), 'DGL': DGL,
         'PredSim': PredSim, 'InfoPro': InfoPro}


@st.composite
def costs_of(draw, rule):
    """Any costs of the units, the head and every network that the rule might use."""
    numbers = iter(range(10**6))

    def cost():
        return Cost(kept=frozenset({(next(numbers), draw(st.integers(0, 9)))}),
                    flops=draw(st.integers(0, 9)))

    networks = {network_key(unit, network): cost()
                for (_, unit), network in rule.candidates(UNITS).items()}
    return Costs(units=tuple(cost() for _ in UNITS), networks=networks, head=cost(),
                 outputs=tuple(frozenset() for _ in UNITS))


def largest(plan, costs, balance):
    """The largest module of a plan, counted from the plan alone."""
    modules = [costs.module(span.start, span.stop, [
        (loss.unit, loss.auxiliary) for loss in span.losses]) for span in plan.spans]
    return max(cost.bytes if balance == 'memory' else cost.flops for cost in modules)


@pytest.mark.parametrize('name', RULES)
@settings(max_examples=10)
@given(data=st.data())
def test_no_other_ends_have_a_smaller_largest_module(name, data):
    """Against all plans that name their ends, each with the networks of that very plan."""
    count, balance = data.draw(st.integers(2, 3)), data.draw(st.sampled_from(['memory', 'time']))
    rule = RULES[name](modules=count, balance=balance)
    costs = data.draw(costs_of(rule))
    named = [RULES[name](modules=list(ends)).plan(UNITS) for ends in combinations(
        [unit.name for unit in UNITS[:-1]], count - 1)]
    plan = rule.plan(UNITS, costs)
    assert plan in named
    assert largest(plan, costs, balance) == min(largest(each, costs, balance) for each in named)


def frozen(count):
    return [UnitSpec(spec.name, spec.channels, spec.stride, stage=spec.stage,
                     repeatable=spec.repeatable, trainable=index >= count)
            for index, spec in enumerate(UNITS)]


def free(units, rule):
    return Costs(units=(Cost(),) * len(units), outputs=(frozenset(),) * len(units), networks={
        network_key(unit, network): Cost() for (_, unit), network in
        rule.candidates(units).items()})


@pytest.mark.parametrize('count', [0, 3, 7])
def test_every_module_before_the_last_has_something_to_train(count):
    units, rule = frozen(count), DGL(modules=3, balance='memory')
    plan = rule.plan(units, free(units, rule))
    assert all(span.losses for span in plan.spans[:-1])
    assert [span.start for span in plan.spans] == [0, count + 1, count + 2]


def test_more_modules_than_trained_units_are_refused():
    units, rule = frozen(9), DGL(modules=4, balance='memory')
    with pytest.raises(ValueError, match=r"balance='memory' in model.local cannot make 4 modules "
                       r"that all train something of 10 units, 1 of them trained; lower modules, "
                       r"freeze less, or set balance='units'"):
        rule.plan(units, free(units, rule))


@pytest.mark.parametrize('name', RULES)
@pytest.mark.parametrize(('given_settings', 'said'), [
    ({'modules': 4, 'balance': 'size'},
     "balance must be one of 'units', 'memory', 'time', got 'size'"),
    ({'modules': 'stages', 'balance': 'memory'},
     "balance='memory' chooses the ends of a number of modules, got modules='stages'; set "
     "modules to a number such as 4, or balance='units'"),
    ({'modules': ['layer1.0'], 'balance': 'time'}, r"got modules=\['layer1.0'\]; set modules to"),
    ({'balance': 'memory'}, "balance='memory' chooses .*, got modules=None; set modules to")])
def test_faults_of_the_setting(name, given_settings, said):
    with pytest.raises(ValueError, match=said):
        RULES[name](**given_settings)


def test_costs_are_needed():
    with pytest.raises(ValueError, match="balance='memory' needs the costs of the units, which "
                                         'are counted when a model is built; pass them to plan'):
        DGL(modules=3, balance='memory').plan(UNITS)


@pytest.mark.parametrize('name', RULES)
def test_candidates_are_the_networks_of_every_plan(name):
    """Of each plan that names its ends, at the same module and unit."""
    rule = RULES[name](modules=4, balance='memory')
    candidates = rule.candidates(UNITS)
    for ends in [(0, 1, 2), (1, 4, 8), (3, 5, 7)]:
        plan: LocalPlan = RULES[name](modules=[UNITS[end].name for end in ends]).plan(UNITS)
        assert [loss.auxiliary for loss in plan.losses] == [
            candidates[module, end] for module, end in enumerate(ends)]
    assert all(a[0] < b[0] for a, b in pairwise(sorted({key[:1] for key in candidates})))
