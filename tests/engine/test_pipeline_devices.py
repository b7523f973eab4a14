"""A pipeline over accelerators trains what one of them does."""
import copy
import os

import pytest
import stand_in_device
import torch
import torch.distributed as dist
from mmengine.optim import build_optim_wrapper
from ranks import run_ranks
from small import auglocal, batch, classifier

from auglocal_mm import AugLocalOptimWrapper, LocalPipelineParallel
from auglocal_mm.engine.rank_group import RankGroup
from auglocal_mm.engine.share import hollow
from auglocal_mm.engine.share.build import build_share, initialise_share

LOCAL = auglocal(3, modules=4)
STEPS = 4


def built(device, stages):
    """Return a model whose weights were drawn on the device, and the model or its pipeline."""
    if stages is None:
        model = new().to(device)
        model.init_weights()
        return model, model
    model, share = build_share(new, stages=stages)
    assert share is not None
    with share.hollow:
        model.to(device)
        initialise_share(model, share)
        return model, LocalPipelineParallel(model, stages=stages, queue=1, share=share)


def new():
    return classifier(copy.deepcopy(LOCAL)).train()


def job(rank, device, stages, settings):
    """Train on one device without `stages`, else in a pipeline; return weights and state."""
    torch.backends.cudnn.deterministic = True
    hollow.LEAST_VALUES = 100  # so small a network has no large weights
    model, trained = built(device, stages)
    wrapper = build_optim_wrapper(model, {
        'type': AugLocalOptimWrapper, 'optimizer': {'type': 'AdamW', 'lr': 1e-3}, **settings})
    if stages is not None:
        trained.begin()
    for step in range(STEPS):
        trained.train_step(batch(4 if step == 2 else 6, seed=step), wrapper)
    if stages is not None:
        trained.finish()
        trained.weights.fill()
        trained.weights.fetch_state(wrapper.optimizer, trained.stages - 1)
    return ({name: value.cpu() for name, value in model.state_dict().items()},
            {key: {name: value.cpu() for name, value in state.items()}
             for key, state in wrapper.optimizer.state_dict()['state'].items()},
            {name: loss.cpu() for name, loss in model.local_metrics.losses.items()})


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for key, value in one.items():
        if isinstance(value, dict):
            assert_equal(value, other[key])
        else:
            assert torch.equal(value, other[key]), key


def check(device, settings, **start):
    weights, state, losses = run_ranks(job, device, None, settings, ranks=1, **start)[0]
    found = run_ranks(job, device, 3, settings, ranks=3, **start)
    assert_equal({'weights': weights, 'state': state, 'losses': losses},
                 dict(zip(('weights', 'state', 'losses'), found[0], strict=True)))
    for other in found[1:]:
        assert_equal(weights, other[0])


def test_with_the_links_of_devices(monkeypatch):
    stand_in_device.use(monkeypatch)
    monkeypatch.setattr(RankGroup, 'sending', lambda group, to: group._link(to).send)
    monkeypatch.setattr(RankGroup, 'receiving', lambda group, sender: group._link(sender).receive)
    check('cpu', {})


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs an NVIDIA GPU')
@pytest.mark.parametrize('settings', [
    {}, {'dtype': 'bfloat16'}, {'step_per_module': True}, {'accumulative_counts': 2}], ids=str)
def test_several_ranks_on_one_gpu(settings):
    check('cuda:0', settings, start='spawn')  # a CUDA process cannot be forked


def one_gpu_each(rank):
    torch.cuda.set_device(rank)
    dist.destroy_process_group()
    dist.init_process_group('nccl', init_method=os.environ['TEST_STORE'], rank=rank, world_size=2)
    return job(rank, f'cuda:{rank}', 2, {})[0]


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason='needs two NVIDIA GPUs')
def test_one_gpu_for_each_rank(monkeypatch, tmp_path):
    monkeypatch.setenv('TEST_STORE', f'file://{tmp_path}/nccl')
    wanted = run_ranks(job, 'cuda:0', None, {}, ranks=1, start='spawn')[0][0]
    for found in run_ranks(one_gpu_each, ranks=2, start='spawn'):
        assert_equal(wanted, found)
