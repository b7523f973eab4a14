"""A step inside each module: the weights of the plain step to the last bit, and few gradients."""
import copy

import pytest
import torch
from detectors import build as detector
from detectors import detector_cfg, images
from digit_runs import config, differing, state, train
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmpretrain.engine.optimizers import Lamb
from networks import sequential
from ranks import run_ranks
from small import CLASSES, auglocal, batch, classifier, poison_loss, scale_gradient

from auglocal_mm import AugLocalOptimWrapper, LocalDistributedDataParallel
from auglocal_mm.engine.module_steps import needs_all_gradients
from auglocal_mm.execution import Listener, NonFiniteError, Order

SGD = {'type': 'SGD', 'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-3, 'nesterov': True}
ADAMW = {'type': 'AdamW', 'lr': 1e-3, 'weight_decay': 0.1}
RULES = {
    'auglocal': auglocal(3),
    'few modules': auglocal(3, modules=3),
    'dgl': {'type': 'auglocal_mm.DGL', 'depth': 3},
    'predsim': {'type': 'auglocal_mm.PredSim'},
    'infopro': {'type': 'auglocal_mm.InfoPro', 'modules': 4},
    'backprop': {'type': 'auglocal_mm.Backprop'},
}


def wrapper_of(model, step_per_module, optimizer=None, **settings):
    return build_optim_wrapper(model, {
        'type': AugLocalOptimWrapper, 'optimizer': dict(optimizer or SGD),
        'step_per_module': step_per_module, **copy.deepcopy(settings)})


#: Fewer units show as much where the settings are those of the optimizer.
SMALL = {'backbone': sequential(),
         'head': {'type': 'LinearClsHead', 'num_classes': CLASSES, 'in_channels': 12}}


def trained(step_per_module, local=None, steps=2, freeze=(), network=None, **settings):
    model = classifier(local or auglocal(3), **copy.deepcopy(network or {})).train()
    for name in freeze:
        model.get_submodule(name).requires_grad_(False)
    wrapper = wrapper_of(model, step_per_module, **settings)
    for seed in range(steps):
        logged = model.train_step(batch(seed=seed), wrapper)
    return model.state_dict(), wrapper, logged


def assert_same(first, second):
    for key, value in first.items():
        assert torch.equal(value, second[key]), key


def assert_same_run(**settings):
    (weights, plain, log), (ours, wrapper, ours_log) = (
        trained(each, **settings) for each in (False, True))
    assert_same(weights, ours)
    assert_same(log, ours_log)
    one, other = plain.state_dict(), wrapper.state_dict()
    assert not differing(one, other), 'a checkpoint does not show how the run stepped'
    assert one['state']


@pytest.mark.parametrize('rule', RULES)
def test_every_rule_trains_the_same_weights(rule):
    assert_same_run(local=RULES[rule])


@pytest.mark.parametrize('settings', [
    {'optimizer': ADAMW},
    {'optimizer': {**ADAMW, 'fused': True}},
    {'optimizer': {'type': 'Adam', 'lr': 1e-3, 'amsgrad': True, 'foreach': True}},
    {'optimizer': {'type': 'RMSprop', 'lr': 1e-3, 'centered': True}},
    {'paramwise_cfg': {'norm_decay_mult': 0.0, 'custom_keys': {'head': {'lr_mult': 10}}}},
    {'dtype': 'bfloat16'},
    {'dtype': 'float16', 'loss_scale': {'init_scale': 1024.0, 'growth_interval': 2}, 'steps': 3},
    {'dtype': 'float16', 'loss_scale': 512.0,
     'clip_grad': {'max_norm': 0.1, 'per_module': True}},
    {'clip_grad': {'max_norm': 0.1, 'per_module': True}},
    {'clip_grad': {'type': 'value', 'clip_value': 0.01}},
    {'nonfinite': 'skip'},
    {'freeze': ['backbone.layer1', 'auxiliary.layer1_0', 'auxiliary.layer1_1',
                'auxiliary.layer1_2']},
], ids=str)
def test_with_other_settings_as_well(settings):
    assert_same_run(network=None if 'freeze' in settings else SMALL, **settings)


def test_clipped_norms_are_logged_as_the_norm_of_all():
    norms = []
    for step_per_module in (False, True):
        wrapper = trained(step_per_module, clip_grad={'max_norm': 0.1, 'per_module': True})[1]
        norms.append(wrapper.message_hub.get_scalar('train/grad_norm').current())
    torch.testing.assert_close(*norms)


class Held(Listener):
    """Whose gradients exist after each module."""

    order = Order.RECORD

    def __init__(self, model):
        self.model, self.seen = model, []

    def after_module(self, event):
        self.seen.append([module for module in range(self.model.plan.modules) if any(
            each.grad is not None for each in self.model.module_parameters(module))])


def test_gradients_of_two_modules_never_exist_together():
    model = classifier(auglocal(3)).train()
    held = Held(model)
    model.listeners.add(held)
    model.train_step(batch(), wrapper_of(model, False))
    assert held.seen[-1] == list(range(model.plan.modules)), 'plain steps keep them all'
    held.seen.clear()
    model.train_step(batch(), wrapper_of(model, True))
    assert held.seen == [[]] * model.plan.modules
    assert not any(parameter.grad is not None for parameter in model.parameters())


def rank_job(rank, step_per_module):
    model = classifier(auglocal(3), seed=rank).train()
    wrapped = LocalDistributedDataParallel(model)
    held = Held(model)
    model.listeners.add(held)
    wrapper = wrapper_of(model, step_per_module, nonfinite='skip')
    for step in range(2):
        wrapped.train_step(batch(seed=2 * step + rank), wrapper)
    poisoned = batch(seed=7)
    if rank == 1:
        poison_loss(model, 1, float('nan'))
    before = {name: value.clone() for name, value in model.named_parameters()}
    wrapped.train_step(poisoned, wrapper)
    kept = [module for module in range(model.plan.modules) if all(
        torch.equal(value, before[name]) for name, value in model.named_parameters()
        if any(value is each for each in model.module_parameters(module)))]
    return before, model.state_dict(), held.seen, kept


def test_ranks_step_a_module_when_its_average_has_arrived():
    plain, ours = run_ranks(rank_job, False), run_ranks(rank_job, True)
    for (before, _, _, _), (ours_before, _, _, _) in zip(plain, ours, strict=True):
        assert_same(before, ours_before)
    modules = len(ours[0][2]) // 3
    # While the average of one module travels, the next one runs.
    assert ours[0][2] == 3 * [[module] for module in range(modules)]
    for (_, weights, _, kept), (_, others, _, others_kept) in [ours]:
        assert kept == others_kept == [1], 'one rank skips a module, so all skip it'
        parameters = [key for key in weights if not key.endswith(
            ('running_mean', 'running_var', 'num_batches_tracked'))]
        assert_same({key: weights[key] for key in parameters}, others)


def test_a_detector_trains_the_same_weights():
    settings = dict(local=auglocal(3, modules=3), local_loss=['detection', 'reconstruction'])
    ends = []
    for step_per_module in (False, True):
        model = detector(detector_cfg(), **settings, recompute=step_per_module)
        with DefaultScope.overwrite_default_scope('mmdet'):
            wrapper = wrapper_of(model, step_per_module)
            for seed in range(2):
                torch.manual_seed(seed)
                model.train_step(images(seed=seed), wrapper)
        ends.append(model.state_dict())
    assert_same(*ends)


def test_a_run_may_change_over_where_it_resumes(tmp_path):
    ours = {'optim_wrapper.step_per_module': True}
    train(config(tmp_path / 'plain', 'ema', 'float16'))
    train(config(tmp_path / 'over', 'ema', 'float16', **ours), tmp_path / 'plain/epoch_1.pth')
    plain, over = (state(tmp_path / folder / 'epoch_2.pth') for folder in ('plain', 'over'))
    assert 'ema_state_dict' in plain and not differing(plain, over)


def test_a_module_that_is_not_finite_is_left_out_alone():
    model = classifier(auglocal(3)).train()
    wrapper = wrapper_of(model, True, nonfinite='skip')
    poison_loss(model, 3, float('nan'))
    before = copy.deepcopy(model.state_dict())
    model.train_step(batch(), wrapper)
    assert wrapper.skipped_updates == 1
    after = model.state_dict()
    names = {id(value): name for name, value in [*model.named_parameters(),
                                                 *model.named_buffers()]}
    own = {names[id(each)] for each in [*model.module_parameters(3), *model.module_buffers(3)]}
    unchanged = {key for key in before if torch.equal(before[key], after[key])}
    assert unchanged == own and any('running_mean' in key for key in own)


def test_it_stops_at_the_module_and_says_what_has_stepped():
    model = classifier(auglocal(3)).train()
    wrapper = wrapper_of(model, True)
    scale_gradient(model, float('nan'))
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(NonFiniteError, match=r'layer2.0.*modules before it have stepped'):
        model.train_step(batch(), wrapper)
    name = 'backbone.layer2.0.conv1.weight'
    assert torch.equal(model.state_dict()[name], before[name])
    assert not torch.equal(model.state_dict()['backbone.conv1.weight'],
                           before['backbone.conv1.weight'])


def test_an_overflow_in_one_module_lowers_the_one_scale():
    model = classifier(auglocal(3)).train()
    wrapper = wrapper_of(model, True, dtype='float16', loss_scale={'init_scale': 1024.0})
    scale_gradient(model, float('inf'))
    before = copy.deepcopy(model.state_dict())
    model.train_step(batch(), wrapper)
    assert wrapper.loss_scaler.get_scale() == 512.0
    after = model.state_dict()
    for name in ('backbone.layer2.0.conv1.weight', 'backbone.layer2.0.conv2.weight'):
        assert torch.equal(after[name], before[name])
    assert not torch.equal(after['head.fc.weight'], before['head.fc.weight'])
    model.train_step(batch(), wrapper)
    assert wrapper.loss_scaler.get_scale() == 256.0, 'nothing is left of the step before'


class Counting(torch.optim.SGD):
    """Counts its steps in its groups, as some optimizers do."""

    def step(self, closure=None):
        for group in self.param_groups:
            group['count'] = group.get('count', 0) + 1
        return super().step(closure)


@pytest.mark.parametrize(('optimizer', 'settings', 'said'), [
    (torch.optim.SGD, {'accumulative_counts': 2}, 'accumulative_counts=1, got 2'),
    (torch.optim.SGD, {'clip_grad': {'max_norm': 1.0}}, 'add per_module=True'),
    (torch.optim.SGD, {'step_per_module': 1}, 'step_per_module must be'),
    (torch.optim.LBFGS, {}, 'LBFGS needs a closure'),
    (Lamb, {}, 'such as SGD, Adam or AdamW; Lamb'),
    (Counting, {}, 'Counting needs'),
])
def test_what_cannot_be_is_refused_at_the_door(optimizer, settings, said):
    model = classifier(auglocal(3))
    with pytest.raises(ValueError, match=said):
        AugLocalOptimWrapper(optimizer(model.parameters(), lr=0.1),
                             **{'step_per_module': True, **settings})


@pytest.mark.parametrize('name', ['ASGD', 'Adadelta', 'Adafactor', 'Adagrad', 'Adam', 'AdamW',
                                  'Adamax', 'NAdam', 'RAdam', 'RMSprop', 'Rprop', 'SGD'])
def test_every_optimizer_of_torch_that_steps_parameters_apart_may(name):
    model = classifier(auglocal(3))
    optimizer = getattr(torch.optim, name)(model.parameters(), lr=0.1)
    AugLocalOptimWrapper(optimizer, step_per_module=True)


def test_a_model_with_one_backward_pass_is_refused():
    model = classifier()
    with pytest.raises(TypeError, match='needs a model that is trained locally'):
        model.train_step(batch(), wrapper_of(model, True))


def upstream_job(rank):
    wrapped = MMDistributedDataParallel(classifier(auglocal(3)), find_unused_parameters=True)
    try:
        wrapped.train_step(batch(), wrapper_of(wrapped.module, True))
    except TypeError as error:
        return str(error)


def test_upstreams_data_parallel_is_refused():
    for said in run_ranks(upstream_job):
        assert 'got MMDistributedDataParallel, which has one backward pass' in said


@pytest.mark.parametrize('step_per_module', [False, True])
def test_whoever_catches_an_error_may_go_on(step_per_module):
    model = classifier(auglocal(3)).train()
    wrapper = wrapper_of(model, step_per_module)
    weight = model.backbone.layer2[0].conv1.weight
    handle = weight.register_hook(lambda gradient: gradient * float('nan'))
    with pytest.raises(NonFiniteError):
        model.train_step(batch(), wrapper)
    handle.remove()
    before = weight.clone()
    model.train_step(batch(), wrapper)
    assert weight.isfinite().all() and not torch.equal(weight, before)


def test_a_module_outside_of_the_optimizer_is_left_alone_in_float16():
    model = classifier(auglocal(3)).train()
    wrapper = AugLocalOptimWrapper(torch.optim.SGD(model.head.parameters(), 0.1),
                                   dtype='float16', loss_scale=64.0, step_per_module=True)
    before = copy.deepcopy(model.state_dict())
    model.train_step(batch(), wrapper)
    after = model.state_dict()
    assert not torch.equal(after['head.fc.weight'], before['head.fc.weight'])
    assert torch.equal(after['backbone.conv1.weight'], before['backbone.conv1.weight'])


def test_a_module_without_gradients_does_not_shift_the_judgement_of_the_next():
    model = classifier(auglocal(3)).train()
    wrapper = AugLocalOptimWrapper(
        torch.optim.SGD(model.head.parameters(), 0.1), step_per_module=True, nonfinite='skip',
        clip_grad={'max_norm': 1.0, 'per_module': True})
    poison_loss(model, 0, float('nan'))
    before = model.head.fc.weight.clone()
    model.train_step(batch(), wrapper)
    assert wrapper.skipped_updates == 1 and not torch.equal(model.head.fc.weight, before)


class Estimating(torch.optim.SGD):
    """Estimates its step size from all gradients, and keeps it in its group, as Prodigy does."""

    def step(self, closure=None):
        for group in self.param_groups:
            total = sum(float(each.grad.norm()) for each in group['params']
                        if each.grad is not None)
            group['estimate'] = 0.9 * group.get('estimate', 0.0) + 0.1 * total
        return super().step(closure)


@pytest.mark.parametrize(('kind', 'needs'), [
    *((kind, False) for kind in (
        torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.NAdam, torch.optim.RAdam,
        torch.optim.RMSprop, torch.optim.Adagrad, torch.optim.Adadelta, torch.optim.Rprop,
        Counting)),
    (torch.optim.LBFGS, False),  # which says itself what it needs
    (Lamb, True), (Estimating, True)])
@pytest.mark.parametrize('stepped', [False, True])
def test_what_needs_all_gradients_is_found(kind, needs, stepped):
    parameters = [torch.nn.Parameter(torch.rand(3)) for _ in range(2)]
    optimizer = kind(parameters, lr=0.1)
    if stepped and kind is not torch.optim.LBFGS:
        for each in parameters:
            each.grad = torch.rand(3)
        optimizer.step()
    before = copy.deepcopy(optimizer.state_dict())
    assert needs_all_gradients(optimizer) is needs
    assert str(optimizer.state_dict()) == str(before)
