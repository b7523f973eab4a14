"""What is trained follows `requires_grad` at each step, however the step is executed.

The slow test: pytest -n 0 tests/execution/test_trainable.py -m slow
"""
import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.optim import OptimWrapper, build_optim_wrapper
from networks import NETWORKS
from oracle import oracle_gradients
from small import (
    KeepGradients,
    auglocal,
    batch,
    classifier,
    gradients,
    in_float64,
    network_classifier,
)

from auglocal_mm import AugLocalOptimWrapper
from auglocal_mm.validation.errors import UserError

RULES = {'AugLocal': auglocal(3), 'DGL': {'type': 'auglocal_mm.DGL'},
         'two modules': auglocal(3, modules=2), 'Backprop': {'type': 'auglocal_mm.Backprop'}}
WRAPPERS = (AugLocalOptimWrapper, OptimWrapper)
RESNET18 = {'type': 'ResNet', 'depth': 18, 'stem_channels': 4, 'base_channels': 2}


def all_but_head(name):
    return name.startswith('head.')


def no_backbone(name):
    return not name.startswith('backbone.')


def only_backbone(name):
    return name.startswith('backbone.')


def no_head(name):
    return not name.startswith('head.')


def first_unit(name):
    return 'backbone.' in name and ('conv1' in name or 'patch_embed' in name or '.0.' in name)


#: What a hook may leave trainable.
CHOICES = {'everything': lambda name: True, 'head': all_but_head, 'no backbone': no_backbone,
           'backbone': only_backbone, 'no head': no_head, 'first unit': first_unit,
           'auxiliary': lambda name: name.startswith('auxiliary.')}


def choose(model, chosen):
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(chosen(name))


def check(network, local, *, freeze, chosen):
    """Immediate, joint and oracle give the same gradients, to the same parameters."""
    network = NETWORKS[network]
    model = in_float64(network_classifier(network, local, freeze=freeze)).train()
    choose(model, chosen)
    images = batch(4, side=network.side, dtype=torch.float64)
    expected = oracle_gradients(model, images, network)
    seen = []
    for kind in WRAPPERS:
        twin = copy.deepcopy(model)
        optimizer = KeepGradients(twin)
        logs = twin.train_step(images, kind(optimizer))
        assert 'loss' in logs and ('local_loss' in logs) == (model.plan.modules > 1)
        seen.append(optimizer.seen[0])
    immediate, joint = seen
    assert set(immediate) == set(joint) == set(expected) == {
        name for name, parameter in model.named_parameters() if parameter.requires_grad
        and name in expected}
    for name in expected:
        assert torch.equal(immediate[name], joint[name]), name
        torch.testing.assert_close(immediate[name], expected[name], rtol=1e-7, atol=1e-10,
                                   msg=name)
    return immediate


@pytest.mark.parametrize('freeze', [False, True])
@pytest.mark.parametrize('choice', CHOICES)
def test_a_choice_of_a_hook_trains_what_the_oracle_trains(choice, freeze):
    network = 'VisionTransformer' if freeze else 'Sequential'
    got = check(network, RULES['AugLocal'], freeze=freeze, chosen=CHOICES[choice])
    if choice == 'everything':
        assert all(value.abs().max() > 0 for name, value in got.items()
                   if name.startswith('backbone.') and value.ndim > 1)


def draw_and_check(data, networks):
    network = data.draw(st.sampled_from(networks))
    rule = RULES[data.draw(st.sampled_from(sorted(RULES)))]
    freeze = data.draw(st.booleans()) and NETWORKS[network].frozen is not None
    model = network_classifier(NETWORKS[network], rule, freeze=freeze)
    names = [name for name, _ in model.named_parameters()]
    chosen = data.draw(st.sets(st.sampled_from(names), min_size=1))
    # A whole prefix at a time as well, as hooks do.
    prefix = data.draw(st.sampled_from(names)).rpartition('.')[0]
    chosen |= {name for name in names if name.startswith(prefix)}
    check(network, rule, freeze=freeze, chosen=chosen.__contains__)


@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_any_subset_trains_what_the_oracle_trains(data):
    draw_and_check(data, ['CIFAR ResNet-20', 'Sequential'])


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_subset_of_any_network_trains_what_the_oracle_trains(data):
    draw_and_check(data, sorted(NETWORKS))


def test_modules_unfrozen_later_move_as_the_rule_says():
    """A stage frozen at the build is trained by the first local loss after it."""
    model = classifier(auglocal(3), backbone={**RESNET18, 'frozen_stages': 1}).train()
    wrapper = AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), 0.1))
    model.train_step(batch(), wrapper)
    frozen = [name for name, p in model.named_parameters() if not p.requires_grad]
    before = {name: p.clone() for name, p in model.named_parameters()}
    choose(model, lambda name: True)
    model.train_step(batch(), wrapper)
    assert frozen and all(not torch.equal(p, before[name])
                          for name, p in model.named_parameters())


def test_a_frozen_module_costs_no_loss_and_keeps_no_graph():
    model = classifier(auglocal(3)).train()
    first = model.plan.layers[0].name
    for owner in (model.backbone.conv1, model.backbone.bn1, model.auxiliary[first]):
        owner.requires_grad_(False)
    data = batch()
    steps = model.local_steps(data['inputs'], data['data_samples'])
    assert not next(steps).losses and next(steps).losses
    model.auxiliary[first].requires_grad_(True)
    step = next(model.local_steps(data['inputs'], data['data_samples']))
    step.losses['loss'].backward()
    assert {name.split('.')[0] for name in gradients(model)} == {'auxiliary'}


@pytest.mark.parametrize('kind', WRAPPERS)
def test_a_step_that_trains_nothing_is_an_error(kind):
    model = classifier(auglocal(3)).train()
    wrapper = kind(torch.optim.SGD(model.parameters(), 0.1))
    model.train_step(batch(), wrapper)
    model.requires_grad_(False)
    with pytest.raises(UserError, match=r'none of the \d+ parameters is trainable'):
        model.train_step(batch(), wrapper)


def missing_by_subset(model, kind):
    return kind(torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.1))


def missing_by_paramwise(model, kind):
    """mmengine's constructor leaves frozen parameters out if it has parameter-wise settings."""
    return build_optim_wrapper(model, {
        'type': kind.__name__ if kind is OptimWrapper else f'auglocal_mm.{kind.__name__}',
        'optimizer': {'type': 'SGD', 'lr': 0.1, 'weight_decay': 0.0},
        'paramwise_cfg': {'norm_decay_mult': 0.0}})


@pytest.mark.parametrize('kind', WRAPPERS)
@pytest.mark.parametrize('build', [missing_by_subset, missing_by_paramwise])
@pytest.mark.parametrize('at_build', [True, False])
def test_an_unfrozen_parameter_that_the_optimizer_lacks_is_an_error(build, kind, at_build):
    backbone = {**RESNET18, 'frozen_stages': 1} if at_build else RESNET18
    model = classifier(auglocal(3), backbone=backbone).train()
    model.backbone.conv1.requires_grad_(False)
    wrapper = build(model, kind)
    model.train_step(batch(), wrapper)
    before = copy.deepcopy(model.state_dict())
    model.backbone.conv1.requires_grad_(True)
    with pytest.raises(UserError, match=r'backbone.conv1.weight became trainable, but the '
                                        r'optimizer does not have it.*add_param_group'):
        model.train_step(batch(), wrapper)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    wrapper.optimizer.add_param_group({'params': [model.backbone.conv1.weight]})
    model.train_step(batch(), wrapper)
    assert not torch.equal(model.backbone.conv1.weight, before['backbone.conv1.weight'])


def test_an_optimizer_of_some_parameters_is_the_users_choice():
    model = classifier(auglocal(3)).train()
    model.train_step(batch(), AugLocalOptimWrapper(torch.optim.SGD(model.head.parameters(), 0.1)))


def test_a_change_is_logged_once(monkeypatch):
    said = []
    monkeypatch.setattr('auglocal_mm.execution.trainable.print_log',
                        lambda message, **_: said.append(message))
    model = classifier(auglocal(3)).train()
    wrapper = AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), 0.1))
    for chosen in (lambda name: True, all_but_head, all_but_head):
        choose(model, chosen)
        model.train()
        model.train_step(batch(), wrapper)
    total = len(list(model.parameters()))
    assert said == [f'Trainable now: 2 of {total} parameter tensors (before: {total}).']


def test_copies_follow_their_own_parameters():
    model = classifier(auglocal(3)).train()
    model.train_step(batch(), AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), 0.1)))
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model.trainability))):
        record = getattr(twin, 'trainability', twin)
        assert record is not model.trainability and not record._parameters


@pytest.mark.parametrize('kind', WRAPPERS)
@pytest.mark.parametrize('frozen_stages', [-1, 1])
def test_metrics_hold_the_latest_step_only(kind, frozen_stages):
    """Whatever module comes first, and whether or not this batch has accuracies."""
    model = classifier(auglocal(3), backbone={**RESNET18, 'frozen_stages': frozen_stages}, head={
        'type': 'LinearClsHead', 'num_classes': 4, 'in_channels': 16,
        'loss': {'type': 'CrossEntropyLoss', 'use_soft': True}}).train()
    wrapper, metrics = kind(torch.optim.SGD(model.parameters(), 0.1)), model.local_metrics
    data = batch()
    for sample in data['data_samples']:
        sample.set_gt_score(torch.full((4,), 0.25))  # as after Mixup
    metrics.scores = {'accuracy': {name: torch.tensor(50.0) for name in metrics.names}}
    metrics.losses = dict(metrics.accuracies)
    model.train_step(data, wrapper)
    assert not metrics.accuracies
    taught = [layer.name for layer in model.plan.layers if layer.auxiliary]
    assert list(metrics.losses) == [*taught, metrics.names[-1]]
    choose(model, all_but_head)
    model.train_step(data, wrapper)
    assert list(metrics.losses) == [metrics.names[-1]]
