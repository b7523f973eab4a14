"""Modules that share units, and several auxiliary networks at one unit."""
import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from ranks import run_ranks
from small import KeepGradients, auglocal, batch, classifier, gradients, in_float64, labels_of

from auglocal_mm import AugLocal, AugLocalOptimWrapper, LocalDistributedDataParallel
from auglocal_mm.plan import LocalPlan, ModulePlan, losses_at, shapes_of

#: Units of each module of a network of ten: neighbours share one or two, or none.
SPANS = [(0, 3), (2, 5), (4, 8), (6, 9), (9, 10)]
#: Units that auxiliary networks read, in each module; twice: two networks.
READ = [[2], [3, 4], [7, 7], [8], []]


class Overlapping(AugLocal):
    """AugLocal's networks on modules that overlap."""

    def plan(self, units):
        spans = []
        for (start, stop), read in zip(SPANS, READ):
            losses = []
            for unit in dict.fromkeys(read):
                network, = self.plan_auxiliaries([unit], units)
                several = [replace(network, weight=1 / (n + 1)) for n in range(read.count(unit))]
                losses += losses_at(unit, units, several)
            spans.append(ModulePlan(start=start, stop=stop, losses=tuple(losses)))
        return LocalPlan(shapes=shapes_of(units), spans=tuple(spans))


@pytest.fixture
def model():
    return in_float64(classifier(Overlapping(depth=2))).train()


def reference(model, data):
    """Every module by plain autograd, from features that were recorded before."""
    labels, entered = labels_of(data), [data['inputs']]
    units = [torch.nn.Sequential(model.backbone.conv1, model.backbone.norm1, model.backbone.relu)]
    units += [block for stage in (1, 2, 3) for block in getattr(model.backbone, f'layer{stage}')]
    with torch.no_grad():
        for unit in units:
            entered.append(unit(entered[-1]))
    auxiliary = model.auxiliary
    for (start, stop), read in zip(SPANS, READ):
        x, losses = entered[start].clone(), []
        for index in range(start, stop):
            x = units[index](x)
            name = 'stem' if index == 0 else f'layer{(index - 1) // 3 + 1}_{(index - 1) % 3}'
            for number in range(read.count(index)):
                network = auxiliary[name if not number else f'{name}__{number + 1}']
                losses.append(F.cross_entropy(network(x), labels) / (number + 1))
        if stop == len(units):
            losses.append(F.cross_entropy(model.head.fc(x.mean((2, 3))), labels))
        sum(losses).backward()
    return gradients(model)


def test_gradients_are_those_of_modules_trained_alone(model):
    data = batch(dtype=torch.float64)
    steps = model.local_steps(data['inputs'], data['data_samples'])
    for step in steps:
        sum(value for name, value in step.losses.items() if 'loss' in name).backward()
    seen = gradients(model)
    model.zero_grad()
    # Running statistics do not enter a training step.
    expected = reference(model, data)
    assert seen.keys() == expected.keys() == {name for name, _ in model.named_parameters()}
    for key in expected:
        torch.testing.assert_close(seen[key], expected[key], rtol=1e-9, atol=1e-12)


def test_every_parameter_is_owned_by_the_last_module_that_trains_it(model):
    owned = [[id(p) for p in model.module_parameters(module)] for module in range(5)]
    assert sorted(sum(owned, [])) == sorted(map(id, model.parameters()))
    shared = model.backbone.layer1[1]  # unit 2, in modules 0 and 1
    assert {id(p) for p in shared.parameters()} <= set(owned[1])
    data = batch(dtype=torch.float64)
    before, final = None, []
    for step in model.local_steps(data['inputs'], data['data_samples']):
        sum(value for name, value in step.losses.items() if 'loss' in name).backward()
        final += [p for module in step.trained for p in model.module_parameters(module)]
        now = [p.grad.clone() for p in final]
        assert before is None or all(torch.equal(a, b) for a, b in zip(before, now))
        before = now


def test_such_a_plan_can_be_read_and_trains(model):
    text = str(model.plan)
    assert '10 units in 5 local modules' in text
    assert '0, 1' in text and '16R-AP-FC' in text
    assert model.plan.to_dict()['spans'] == [list(span) for span in SPANS]
    assert {'layer3_0', 'layer3_0__2'} <= set(model.auxiliary)
    wrapper = AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), 0.1))
    logs = model.train_step(batch(dtype=torch.float64), wrapper)
    assert all(torch.isfinite(value) for value in logs.values())
    assert list(model.local_metrics.losses) == list(model.plan.module_names)


@pytest.mark.parametrize(('spans', 'said'), [
    ([(0, 4), (5, 10)], 'without gaps'), ([(0, 4), (0, 10)], 'beginning and ending after'),
    ([(0, 6), (4, 6), (6, 10)], 'ending after'), ([(0, 9)], 'cover the units 0 … 9'), ([], 'cover'),
    ([(1, 10)], 'cover the units'),
])
def test_modules_that_do_not_chain_are_refused(model, spans, said):
    with pytest.raises(ValueError, match=said):
        LocalPlan(shapes=model.plan.shapes, spans=tuple(
            ModulePlan(start=start, stop=stop) for start, stop in spans))


def test_a_loss_outside_its_module_or_a_key_twice_is_refused(model):
    first, second, *others = model.plan.spans
    with pytest.raises(ValueError, match='units 0 … 2 must read one of them, got unit 3'):
        replace(model.plan, spans=(replace(first, losses=second.losses), second, *others))
    with pytest.raises(ValueError, match="a key of its own, got 'layer1_1' 2 times; give one"):
        replace(model.plan, spans=(replace(first, losses=first.losses * 2), second, *others))


def test_units_that_no_loss_reaches_are_refused(model):
    units = [unit.spec(model.backbone) for unit in model.chain.units]
    network = model.plan.losses[0].auxiliary
    with pytest.raises(ValueError, match='units 0 … 3 must read unit 3 or a later one, got unit 1'):
        LocalPlan.assemble(units, [0] * 4 + [1] * 6, {1: network})
    LocalPlan.assemble(units, [0] * 4 + [1] * 6, {1: network, 3: network})


@pytest.mark.parametrize('modules', [
    [0, 1, 0, 1] + [2] * 6, [0, 0, 2, 2] + [3] * 6, [0] * 9, [1] * 10, [0] * 11])
def test_modules_that_are_no_runs_are_refused(model, modules):
    units = [unit.spec(model.backbone) for unit in model.chain.units]
    with pytest.raises(ValueError, match='modules must number 10 units from 0 and grow by 0 or 1'):
        LocalPlan.assemble(units, modules, {})
    with pytest.raises(ValueError, match='must read units 0 … 9, got unit 12'):
        LocalPlan.assemble(units, [0] * 10, {12: model.plan.losses[0].auxiliary})


def test_a_module_whose_shared_units_alone_are_trained_keeps_its_loss(model):
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith('backbone.layer1.1.'))  # unit 2
    for auxiliary in model.auxiliary.values():
        auxiliary.requires_grad_(False)
    data = batch(dtype=torch.float64)
    steps = list(model.local_steps(data['inputs'], data['data_samples']))
    assert [bool(step.losses) for step in steps] == [True, True, False, False, True]
    assert steps[0].losses['loss'].requires_grad


def overlapping_rank(rank):
    model = in_float64(classifier(Overlapping(depth=2))).train()
    wrapped, optimizer = LocalDistributedDataParallel(model), KeepGradients(model)
    wrapped.train_step(batch(seed=rank, dtype=torch.float64), AugLocalOptimWrapper(optimizer))
    return optimizer.seen[0]


def test_ranks_average_units_that_two_modules_train(model):
    first, second = run_ranks(overlapping_rank)
    single = []
    for rank in range(2):
        twin, optimizer = copy.deepcopy(model), None
        optimizer = KeepGradients(twin)
        twin.train_step(batch(seed=rank, dtype=torch.float64), AugLocalOptimWrapper(optimizer))
        single.append(optimizer.seen[0])
    for name in first:
        assert torch.equal(first[name], second[name])
        torch.testing.assert_close(first[name], (single[0][name] + single[1][name]) / 2,
                                   rtol=1e-12, atol=1e-14)


def test_a_plan_of_modules_side_by_side_is_as_before():
    model = classifier(auglocal(3))
    plan = model.plan
    assert [list(range(s.start, s.stop)) for s in plan.spans] == [
        [u for u, row in enumerate(plan.layers) if row.module == m] for m in range(plan.modules)]
    assert plan == LocalPlan(shapes=plan.shapes, spans=plan.spans)
    assert plan != replace(plan, spans=(replace(plan.spans[0], losses=()), *plan.spans[1:]))
