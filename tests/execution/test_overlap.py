"""Modules that share units, and several auxiliary networks at one unit."""
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from small import auglocal, batch, classifier, gradients, in_float64, labels_of

from auglocal_mm import AugLocal, AugLocalOptimWrapper
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
    with pytest.raises(ValueError, match='a key of its own, got layer1_1 2 times'):
        replace(model.plan, spans=(replace(first, losses=first.losses * 2), second, *others))


def test_a_plan_of_modules_side_by_side_is_as_before():
    model = classifier(auglocal(3))
    plan = model.plan
    assert [list(range(s.start, s.stop)) for s in plan.spans] == [
        [u for u, row in enumerate(plan.layers) if row.module == m] for m in range(plan.modules)]
    assert plan == LocalPlan(shapes=plan.shapes, spans=plan.spans)
    assert plan != replace(plan, spans=(replace(plan.spans[0], losses=()), *plan.spans[1:]))
