"""A resumed run is the uninterrupted one, to the bit: weights, averages, optimizer, counts.

Every combination of settings takes 3 minutes of one core::

    pytest tests/engine/test_exact_resume.py -m slow
"""
import logging
import re
from types import SimpleNamespace

import mmengine
import pytest
import torch
from digit_runs import config, differing, state, train
from mmengine.registry import HOOKS
from mmengine.runner import EpochBasedTrainLoop as HostEpochLoop
from mmengine.runner import IterBasedTrainLoop as HostIterLoop

from auglocal_mm import CheckpointHook, EpochBasedTrainLoop, IterBasedTrainLoop
from auglocal_mm.engine.adopt import adopt

#: Variants, the checkpoints to resume from, and the one to end with.
CASES = {
    'everything, midway': ('midway accumulation ema float16 best', 'iter_2 iter_5 iter_7',
                           'iter_10'),
    'everything, by iteration': ('iterations accumulation ema bfloat16 best', 'iter_2 iter_8',
                                 'iter_11'),
    'epochs': ('plain', 'epoch_1', 'epoch_2'),
    'accumulation over epochs': ('accumulation', 'epoch_1', 'epoch_2'),
    'workers, midway': ('midway accumulation ema workers', 'iter_4 iter_6', 'iter_10'),
    'persistent workers': ('persistent', 'epoch_1', 'epoch_2'),
    'persistent workers, midway': ('midway persistent', 'iter_4', 'iter_10'),
    'persistent workers, by iteration': ('iterations persistent', 'iter_4', 'iter_11'),
    'infinite sampler': ('iterations infinite accumulation', 'iter_2 iter_6 iter_10', 'iter_11'),
    'infinite sampler, workers': ('iterations infinite workers', 'iter_4', 'iter_11'),
    "torch's sampler": ('midway torch', 'iter_3 iter_5 iter_9', 'iter_10'),
    "torch's sampler, by iteration": ('iterations torch', 'iter_2 iter_6 iter_10', 'iter_11'),
}


@pytest.mark.slow
@pytest.mark.parametrize('name', CASES)
def test_a_resumed_run_is_the_uninterrupted_one(name, tmp_path):
    resume_from_each(name, tmp_path)


def test_a_resumed_run_is_the_uninterrupted_one_by_iteration(tmp_path):
    resume_from_each('everything, by iteration', tmp_path, only='iter_8')


def resume_from_each(name, folder, only=None):
    variants, checkpoints, last = (part.split() for part in CASES[name])
    train(config(folder / 'whole', *variants))
    expected = state(folder / 'whole' / f'{last[0]}.pth')
    for checkpoint in [only] if only else checkpoints:
        torch.rand(3)  # What another process has drawn before it resumes.
        work_dir = folder / f'from {checkpoint}'
        runner = train(config(work_dir, *variants), folder / 'whole' / f'{checkpoint}.pth')
        assert not differing(expected, state(work_dir / f'{last[0]}.pth'))
        assert runner.message_hub.get_info('eta') == 0


@pytest.mark.slow
def test_the_states_matter(tmp_path):
    """The checks above can fail: gradients, random states and positions each change the end."""
    variants = CASES['everything, midway'][0].split()
    train(config(tmp_path / 'whole', *variants))
    expected = state(tmp_path / 'whole' / 'iter_10.pth')
    for key in ('gradients', 'ranks', 'began'):
        content = torch.load(tmp_path / 'whole' / 'iter_7.pth', weights_only=False)
        states = content['random_states']
        states[key] = {'gradients': None, 'began': 0,
                       'ranks': torch.load(tmp_path / 'whole' / 'iter_3.pth',
                                           weights_only=False)['random_states']['ranks']}[key]
        torch.save(content, tmp_path / f'{key}.pth')
        train(config(tmp_path / key, *variants), tmp_path / f'{key}.pth')
        assert differing(expected, state(tmp_path / key / 'iter_10.pth'))


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    """Every checkpoint of two epochs, in which gradients of three batches are added up."""
    folder = tmp_path_factory.mktemp('saved')
    train(config(folder, 'midway', 'accumulation'))
    return folder


def test_a_checkpoint_of_before_resumes_at_its_batch_and_the_log_says_where(saved, tmp_path):
    content = torch.load(saved / 'iter_3.pth', weights_only=False)
    del content['random_states']
    torch.save(content, tmp_path / 'old.pth')
    cfg = config(tmp_path / 'more', 'midway', epochs=1, log_level='INFO',
                 **{'default_hooks.logger.interval': 1})
    assert train(cfg, tmp_path / 'old.pth').iter == 5
    text = next((tmp_path / 'more').glob('*/*.log')).read_text()
    assert 'Epoch 1 continues after batch 3 of 5.' in text
    lines = re.findall(r'Epoch\(train\) \[1\]\[(\d)/5\].* eta: (\S+)', text)
    assert lines == [('4', '0:00:00'), ('5', '0:00:00')]
    assert 'is not divisible by' not in text


def test_with_larger_batches_a_run_continues_at_the_same_share_of_its_epoch(saved, tmp_path):
    cfg = config(tmp_path / 'more', 'midway', 'accumulation', log_level='INFO',
                 **{'train_dataloader.batch_size': 10})
    runner = train(cfg, saved / 'iter_8.pth')
    text = next((tmp_path / 'more').glob('*/*.log')).read_text()
    assert 'Epoch 2 continues after batch 1 of 2.' in text
    assert 'has trained 8 iterations; this run, of 2 iterations an epoch, counts them as 3' in text
    assert runner.iter == runner.max_iters == 4
    assert runner.message_hub.get_info('eta') == 0


def test_starting_from_weights_that_were_saved_midway_starts_at_the_beginning(saved, tmp_path):
    cfg = config(tmp_path / 'tuned', epochs=1, load_from=str(saved / 'iter_3.pth'))
    assert train(cfg).iter == 5


SPELLINGS = ['CheckpointHook', 'mmengine.CheckpointHook', 'mmengine.hooks.CheckpointHook',
             'mmengine.hooks.checkpoint_hook.CheckpointHook', mmengine.hooks.CheckpointHook]
LOOPS = [({}, EpochBasedTrainLoop), ({'by_epoch': True}, EpochBasedTrainLoop),
         ({'by_epoch': False}, IterBasedTrainLoop),
         *[({'type': kind}, ours) for name, host, ours in (
             ('EpochBasedTrainLoop', HostEpochLoop, EpochBasedTrainLoop),
             ('IterBasedTrainLoop', HostIterLoop, IterBasedTrainLoop)) for kind in (
                 name, f'mmengine.{name}', f'mmengine.runner.{name}',
                 f'mmengine.runner.loops.{name}', f'auglocal_mm.{name}', host, ours)]]


class OwnHook(mmengine.hooks.CheckpointHook):
    """Someone else's."""


class OwnLoop(HostEpochLoop):
    """Someone else's."""


def adopted(hook, loop):
    runner = SimpleNamespace(_hooks=[hook], _train_loop=loop, logger=logging.getLogger('adopted'))
    adopt(runner)
    return runner


@pytest.mark.parametrize('kind', SPELLINGS)
def test_our_hook_replaces_mmengines_however_it_is_spelled(kind):
    hook = HOOKS.build({'type': kind, 'interval': 7, 'out_dir': 'a'})
    ours = adopted(hook, None)._hooks[0]
    assert type(ours) is CheckpointHook and (ours.interval, ours.out_dir) == (7, 'a')


@pytest.mark.parametrize(('settings', 'ours'), LOOPS)
def test_our_loop_replaces_mmengines_however_it_is_spelled(settings, ours):
    runner = adopted(OwnHook(), {'max_epochs': 3, **settings})
    loop = runner._train_loop
    kind = EpochBasedTrainLoop if loop['type'] == 'auglocal_mm.EpochBasedTrainLoop' else (
        IterBasedTrainLoop if loop['type'] == 'auglocal_mm.IterBasedTrainLoop' else loop['type'])
    assert kind is ours and loop['max_epochs'] == 3 and 'by_epoch' not in loop
    assert type(runner._hooks[0]) is OwnHook


def test_a_loop_of_someone_else_stays_and_is_told(caplog):
    loop = {'type': OwnLoop, 'max_epochs': 3}
    assert adopted(OwnHook(), loop)._train_loop is loop
    assert 'OwnLoop' in caplog.text and 'not give exactly the same weights' in caplog.text
