"""What the mixin promises to any model, beside the classifier's own tests."""
import copy
from collections import Counter

import pytest
import torch
from networks import NETWORKS
from small import KeepGradients, auglocal, batch, classifier, network_classifier

from auglocal_mm import AugLocalOptimWrapper, LocalImageClassifier
from auglocal_mm.auxiliary import BuildContext, build_auxiliary
from auglocal_mm.execution import Carry, immediate_step
from auglocal_mm.plan import AuxiliaryPlan, Conv, Embedding, GlobalPooling, UnitRow
from auglocal_mm.rules import AugLocal


def own(model):
    return {id(p) for module in range(model.plan.modules) for p in model.module_parameters(module)}


@pytest.mark.parametrize('replace', [
    lambda model: model.load_state_dict(copy.deepcopy(model.state_dict()), assign=True),
    lambda model: model.double(),
    lambda model: (setattr(model.head, 'fc', torch.nn.Linear(16, 4)), model.train()),
], ids=['assigned', 'converted', 'replaced'])
def test_replaced_parameters_are_owned(replace):
    model = classifier(auglocal(3)).train()
    assert own(model) == set(map(id, model.parameters()))
    replace(model)
    assert own(model) == set(map(id, model.parameters()))


class WithOwnParameter(LocalImageClassifier):
    """As some detectors do, it holds a parameter itself."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.scale = torch.nn.Parameter(torch.ones(()))
        self._forget_parameters()


def test_the_last_module_owns_what_the_model_holds_itself():
    plain = classifier(auglocal(3))
    model = WithOwnParameter(plain.backbone, auglocal(3), neck=plain.neck, head=plain.head)
    assert own(model) == set(map(id, model.parameters()))
    assert any(p is model.scale for p in model.module_parameters(model.plan.modules - 1))


def test_a_step_may_run_some_of_the_modules():
    """Both halves together change the weights as one step of all modules does."""
    model, data = classifier(auglocal(2)).train(), batch()
    twin = copy.deepcopy(model)
    optimizer = KeepGradients(twin)
    logs = twin.train_step(data, AugLocalOptimWrapper(optimizer))
    targets = model.task.batch(model, **data)
    carry, seen, told = Carry(features=data['inputs']), {}, []
    for modules in (range(4), range(4, model.plan.modules)):
        part = KeepGradients(model)
        log, carry = immediate_step(model, carry, targets, AugLocalOptimWrapper(part),
                                    modules=modules)
        told.append(log)
        seen |= part.seen[0]
    assert seen.keys() == optimizer.seen[0].keys()
    assert all(torch.equal(seen[name], optimizer.seen[0][name]) for name in seen)
    assert set(told[0]) == {'local_loss'} and torch.equal(told[1]['loss'], logs['loss'])


class DenseEnd(AugLocal):
    """Its networks end in a map, which a classifier has no loss for."""

    def plan_auxiliaries(self, taught, units):
        return [AuxiliaryPlan((Conv(8),)) for _ in taught]


def test_an_end_that_the_task_does_not_know_is_refused():
    with pytest.raises(TypeError, match='end in a Classifier or an Embedding, got 8C3 at stem'):
        classifier(DenseEnd(depth=2))


def test_networks_may_end_in_anything_and_lists_of_losses_are_weighted():
    context = BuildContext(torch.nn.Identity(), {}, 10)

    def build(*layers):
        row = UnitRow(name='stem', channels=4, stride=1, module=0,
                      auxiliaries=(AuxiliaryPlan(layers, weight=0.5),))
        return build_auxiliary(row, context)

    dense = build(Conv(8), Conv(6))
    losses, output = dense.losses(torch.randn(2, 4, 8, 8), None, lambda maps: {
        'loss_cls': [maps.sum(), maps.mean()], 'accuracy': maps.new_tensor(40.0)})
    assert output.shape == (2, 6, 8, 8) and dense.contrastive is None
    torch.testing.assert_close(losses['loss_cls'], [output.sum() / 2, output.mean() / 2])
    assert losses['accuracy'] == 40 and set(dense.layers._modules) == {'0', '1'}
    assert build(GlobalPooling(), Embedding()).contrastive is not None


@pytest.mark.parametrize('name', ['CIFAR ResNet-20', 'VisionTransformer', 'ConvNeXt'])
def test_recomputing_changes_neither_gradients_nor_statistics_nor_random_numbers(name):
    network, rule = NETWORKS[name], auglocal(3, downsample='Vision' not in name, modules=3)
    plain = network_classifier(network, rule)
    for part in plain.modules():
        if 'drop_prob' in vars(part):
            part.drop_prob = 0.4  # a second forward pass must draw the same numbers
    model, data = copy.deepcopy(plain), batch(side=network.side)
    again = network_classifier(network, rule, recompute=True)
    model.chain, calls = again.chain, Counter()
    for each in model.auxiliary.values():
        each.recompute = True
    for where, part in model.backbone.named_modules():
        part.register_forward_pre_hook(lambda *_, where=where: calls.update([where]))
    seen = []
    for each in (plain, model):
        optimizer = KeepGradients(each.train())
        torch.manual_seed(7)
        each.train_step(data, AugLocalOptimWrapper(optimizer))
        seen.append(optimizer.seen[0])
    assert seen[0].keys() == seen[1].keys() == dict(plain.named_parameters()).keys()
    for key in seen[0]:
        assert torch.equal(seen[0][key], seen[1][key]), key
    for key, value in plain.state_dict().items():
        assert torch.equal(value, model.state_dict()[key]), key
    assert all(calls[unit.paths[0]] >= 2 for unit in model.chain.units[1:]), 'really twice'
