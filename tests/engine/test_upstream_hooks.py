"""Upstream's hooks under the real Runner, in each mode of execution."""
import json
from functools import cache
from types import SimpleNamespace

import pytest
import torch
from digit_runs import config, differing, state, train
from mmengine.hooks import SyncBuffersHook
from ranks import run_ranks
from small import auglocal, batch, classifier

from auglocal_mm import AugLocalOptimWrapper, LocalDistributedDataParallel

MODES = {
    'plain': {},
    'step': {'optim_wrapper.step_per_module': True},
    'recompute': {'model.recompute': True},
    'both': {'optim_wrapper.step_per_module': True, 'model.recompute': True},
}


def hooks(folder):
    return [
        {'type': 'EMAHook', 'momentum': 0.3},
        {'type': 'mmpretrain.PreciseBNHook', 'num_samples': 8, 'priority': 'ABOVE_NORMAL'},
        {'type': 'ProfilerHook', 'json_trace_path': str(folder / 'trace.json')},
        # The accuracy never rises by 1000, so the run ends after its second validation.
        {'type': 'EarlyStoppingHook', 'monitor': 'accuracy/top1', 'min_delta': 1000.0,
         'patience': 1, 'rule': 'greater'},
    ]


@pytest.fixture(scope='module')
def ends(tmp_path_factory):
    @cache
    def end(mode):
        folder = tmp_path_factory.mktemp(mode)
        runner = train(config(folder, epochs=4, custom_hooks=hooks(folder), **MODES[mode]))
        return runner.epoch, state(folder / 'epoch_2.pth'), folder
    return end


@pytest.mark.parametrize('mode', ['plain', 'both', *(
    pytest.param(mode, marks=pytest.mark.slow) for mode in ('step', 'recompute'))])
def test_all_of_them_act_and_the_weights_are_the_same(mode, ends):
    epoch, end, folder = ends(mode)
    assert epoch == 2, 'EarlyStoppingHook has ended the run'
    assert 'ema_state_dict' in end
    events = json.loads((folder / 'trace.json').read_text(encoding='utf-8'))['traceEvents']
    assert any('convolution_backward' in event.get('name', '') for event in events)
    assert not differing(ends('plain')[1], end)


def test_precise_norms_are_those_of_the_training_images(ends, tmp_path):
    train(config(tmp_path, epochs=4, custom_hooks=hooks(tmp_path)[:1],
                 **{'train_cfg.max_epochs': 1}))
    exact, usual = (state(folder / 'epoch_1.pth') for folder in (ends('both')[2], tmp_path))
    # EMAHook saves the average as the model, and the model that was trained as this.
    changed = differing(exact['ema_state_dict'], usual['ema_state_dict'])
    assert changed and all(name.split('.')[-1] in (
        'running_mean', 'running_var', 'num_batches_tracked') for name in changed)


def buffers_job(rank, settings):
    model = classifier(auglocal(3), **settings).train()
    wrapped = LocalDistributedDataParallel(model)
    wrapper = AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), 0.1), step_per_module=True)
    wrapped.train_step(batch(seed=rank), wrapper)
    before = {name: buffer.clone() for name, buffer in model.named_buffers()
              if 'running_' in name}
    SyncBuffersHook().after_train_epoch(SimpleNamespace(model=wrapped))
    return before, {name: model.get_buffer(name).clone() for name in before}


def test_buffers_are_averaged_over_ranks():
    (first, mean), (second, others) = run_ranks(buffers_job, {'recompute': True})
    for name in mean:
        assert torch.equal(mean[name], others[name])
        torch.testing.assert_close(mean[name], (first[name] + second[name]) / 2)
    assert any(not torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize('value', [True, {'backend': 'eager'}])
def test_the_runners_compile_is_refused(value, tmp_path):
    with pytest.raises(ValueError, match='leave compile out'):
        train(config(tmp_path, compile=value))
