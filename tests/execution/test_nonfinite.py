"""Updates from losses or gradients that are not finite never touch the weights.

Every value at every place: pytest -n 0 tests/execution/test_nonfinite.py -m slow
"""
import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from small import auglocal, batch, classifier, poison_loss, scale_gradient

from auglocal_mm import AugLocalOptimWrapper
from auglocal_mm.engine.launch import build_runner
from auglocal_mm.execution import NonFiniteError
from auglocal_mm.validation.errors import UserError

VALUES = [float('nan'), float('inf'), -float('inf')]
WRAPPERS = (AugLocalOptimWrapper, OptimWrapper)


def build():
    return classifier(auglocal(3)).train()


def wrap(model, kind=AugLocalOptimWrapper, **settings):
    return kind(torch.optim.SGD(model.parameters(), 0.1, momentum=0.9), **settings)


def state(model):
    return copy.deepcopy(model.state_dict())


def differing(first, second):
    return [key for key in first if not torch.equal(first[key], second[key])]


@pytest.mark.parametrize('kind', WRAPPERS)
@pytest.mark.parametrize(('module', 'value'), [
    pytest.param(module, value, marks=() if place == turn else pytest.mark.slow)
    for place, module in enumerate([0, 3, -1]) for turn, value in enumerate(VALUES)])
def test_a_loss_that_is_not_finite_stops_before_the_weights(module, kind, value):
    model = build()
    wrapper = wrap(model, kind)
    model.train_step(batch(), wrapper)
    wrapper.message_hub.update_info('iter', 41)
    before = {name: p.clone() for name, p in model.named_parameters()}
    momentum = copy.deepcopy(wrapper.optimizer.state_dict())
    poison_loss(model, range(model.plan.modules)[module], value)
    name = model.local_metrics.names[module] + (' (the head)' if module == -1 else '')
    with pytest.raises(NonFiniteError) as caught:
        model.train_step(batch(seed=2), wrapper)
    wrapper.message_hub.update_info('iter', 0)
    said = str(caught.value)
    assert f'the loss of local module {name} is {value} at iteration 42; no weight' in said
    assert "nonfinite='skip'" in said and '\n' not in said and isinstance(caught.value, UserError)
    assert not differing(before, dict(model.named_parameters()))
    after = wrapper.optimizer.state_dict()
    assert all(torch.equal(entry['momentum_buffer'], after['state'][key]['momentum_buffer'])
               for key, entry in momentum['state'].items())


@pytest.mark.parametrize(('factor', 'settings', 'said'), [
    (float('nan'), {}, r'of backbone.layer2.0.conv1.weight \(1 of \d+ parameters\) is not finite'),
    (float('inf'), {}, r'of backbone.layer2.0.conv1.weight \(1 of \d+ parameters\) is not finite'),
    (float('inf'), {'clip_grad': {'type': 'value', 'clip_value': 1.0}}, 'gradient of backbone'),
    (float('nan'), {'clip_grad': {'max_norm': 1.0}}, 'norm of all gradients is nan at iteration'),
    (1e30, {'clip_grad': {'max_norm': 1.0}}, 'norm of all gradients is inf at iteration'),
])
@pytest.mark.parametrize('local', [auglocal(3), None])
def test_gradients_that_are_not_finite_stop_although_losses_are(factor, settings, said, local):
    model = classifier(local).train()
    wrapper = wrap(model, **copy.deepcopy(settings))
    before = {name: p.clone() for name, p in model.named_parameters()}
    scale_gradient(model, factor)
    with pytest.raises(NonFiniteError, match=said):
        model.train_step(batch(), wrapper)
    assert not differing(before, dict(model.named_parameters()))


def test_whoever_catches_the_error_may_go_on_with_another_batch():
    model = build()
    wrapper = wrap(model)
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with pytest.raises(NonFiniteError):
        model.train_step(bad_batch(), wrapper)
    wrapper.zero_grad()
    for name, buffer in model.named_buffers():
        buffer.copy_(buffers[name])
    model.train_step(batch(), wrapper)


def test_large_but_finite_gradients_are_none_of_its_business():
    model = build()
    scale_gradient(model, 1e25)
    model.train_step(batch(), wrap(model))


def bad_batch():
    data = batch(seed=9)
    data['inputs'][0, 0, 0, 0] = float('nan')
    return data


@pytest.mark.parametrize(('counts', 'order', 'kept'), [
    (1, [0, 'bad', 1], [0, 1]),
    (1, ['bad', 'bad', 0], [0]),
    (2, [0, 1, 2, 'bad', 3, 4], [0, 1, 3, 4]),
    pytest.param(2, ['bad', 0, 1, 2, 'bad', 'bad'], [1, 2], marks=pytest.mark.slow),
    pytest.param(3, [0, 'bad', 1, 2, 3, 4], [2, 3, 4], marks=pytest.mark.slow),
])
def test_a_skipped_update_leaves_the_run_as_if_it_had_never_come(counts, order, kept):
    """Weights, momentum and running statistics."""
    ends = []
    for batches in (order, kept):
        model = build()
        wrapper = wrap(model, accumulative_counts=counts, nonfinite='skip')
        for one in batches:
            model.train_step(bad_batch() if one == 'bad' else batch(seed=one), wrapper)
        ends.append((model.state_dict(), wrapper))
    assert not differing(ends[0][0], ends[1][0])
    assert ends[0][1].skipped_updates == (len(order) - len(kept)) // counts
    momentum = [wrapper.optimizer.state_dict()['state'] for _, wrapper in ends]
    assert all(torch.equal(entry['momentum_buffer'], momentum[1][key]['momentum_buffer'])
               for key, entry in momentum[0].items())


def test_skipped_updates_are_told_with_their_count_and_less_and_less_often(monkeypatch):
    said = []
    monkeypatch.setattr('auglocal_mm.engine.update_guard.print_log',
                        lambda message, **_: said.append(message))
    model = build()
    wrapper = wrap(model, nonfinite='skip')
    for _ in range(9):
        model.train_step(bad_batch(), wrapper)
    assert wrapper.skipped_updates == 9
    assert [line.rpartition("'skip'), ")[2] for line in said] == [
        f'{count} so far' for count in (1, 2, 4, 8)]
    assert all('the loss of local module stem is nan' in line for line in said)


def test_the_loss_scaler_keeps_its_own_way():
    model = build()
    wrapper = wrap(model, dtype='float16', nonfinite='stop')
    before, scale = {n: p.clone() for n, p in model.named_parameters()}, 0
    for _ in range(2):
        scale = wrapper.loss_scaler.get_scale()
        model.train_step(bad_batch(), wrapper)
    assert not differing(before, dict(model.named_parameters()))
    assert wrapper.loss_scaler.get_scale() < scale and wrapper.skipped_updates == 0


def test_an_unknown_way_is_refused():
    with pytest.raises(ValueError, match="nonfinite must be one of 'stop', 'skip', got 'ignore'"):
        wrap(build(), nonfinite='ignore')


@pytest.mark.parametrize('value', VALUES)
def test_the_state_of_weights_that_are_not_finite_is_not_handed_out(value):
    model = build()
    wrapper = wrap(model)
    model.train_step(batch(), wrapper)
    wrapper.state_dict()
    with torch.no_grad():
        model.head.fc.weight[0, 0] = value
    with pytest.raises(NonFiniteError, match='head.fc.weight and 0 other parameters'):
        wrapper.state_dict()


@pytest.mark.parametrize('lr', [1e30, 3e38])
def test_a_run_that_diverges_stops_and_writes_no_bad_weights(root, tmp_path, lr):
    cfg = Config.fromfile(root / 'configs/demo/resnet34-slim_digits_auglocal.py')
    cfg.merge_from_dict({
        'work_dir': str(tmp_path), 'experiment_name': f'{tmp_path}'.replace('/', '-'),
        'train_cfg.max_epochs': 3, 'launcher': 'none', 'param_scheduler': [],
        'model.backbone.depth': 18, 'model.backbone.base_channels': 2,
        'model.backbone.stem_channels': 4, 'model.head.in_channels': 16,
        'optim_wrapper.optimizer.lr': lr, 'train_dataloader.dataset.indices': 48,
        'train_dataloader.batch_size': 24, 'train_dataloader.num_workers': 0,
        'val_dataloader.dataset.indices': 20})
    runner = build_runner(cfg, splits=('train', 'val'))
    with pytest.raises(NonFiniteError):
        runner.train()
    for path in Path(tmp_path).rglob('*.pth'):
        weights = torch.load(path, weights_only=False)['state_dict']
        assert all(torch.isfinite(w).all() for key, w in weights.items() if 'running' not in key)
