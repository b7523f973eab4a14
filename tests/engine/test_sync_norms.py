"""Batch norms that are synchronised over ranks (`sync_bn='torch'`) inside a local detector."""
import copy

import pytest
import torch
from detectors import build, detector_cfg, images
from mmengine.model.utils import convert_sync_batchnorm
from mmengine.registry import DefaultScope
from ranks import run_ranks
from small import KeepGradients, auglocal
from torch import distributed
from torch.distributed.nn.functional import all_reduce

from auglocal_mm import AugLocalOptimWrapper, LocalDistributedDataParallel

LOCAL = dict(local=auglocal(3, modules=3), local_loss=['segmentation', 'reconstruction'],
             auxiliary_norm='backbone')


def synchronised(norm, x):
    """What torch's kernels compute on a GPU: the moments of the images of all ranks."""
    moments = all_reduce(torch.stack([each.mean((0, 2, 3)) for each in (x, x * x)]))
    mean, square = moments / distributed.get_world_size()
    variance = square - mean ** 2
    with torch.no_grad():
        count = distributed.get_world_size() * x.numel() / x.shape[1]
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(variance * count / (count - 1), norm.momentum)
        norm.num_batches_tracked += 1
    scale = norm.weight * (variance + norm.eps).rsqrt()
    return x * scale[:, None, None] + (norm.bias - mean * scale)[:, None, None]


def step(model, data):
    optimizer = KeepGradients(getattr(model, 'module', model))
    with DefaultScope.overwrite_default_scope('mmdet'):
        torch.manual_seed(5)
        model.train_step(data, AugLocalOptimWrapper(optimizer))
    return optimizer.seen[0]


def one_rank(rank):
    """Gradients and state with and without recomputation; and how torch refuses a CPU."""
    found, kernels = [], torch.nn.SyncBatchNorm.forward
    for recompute in (False, True):
        model = convert_sync_batchnorm(build(detector_cfg(), recompute=recompute, **LOCAL), 'torch')
        model = LocalDistributedDataParallel(model)
        torch.nn.SyncBatchNorm.forward = synchronised  # this process is a fork
        found.append((step(model, images(seed=rank)), copy.deepcopy(model.module.state_dict())))
        torch.nn.SyncBatchNorm.forward = kernels
    with pytest.raises(ValueError, match='SyncBatchNorm expected input tensor to be on'):
        step(model, images(seed=rank))
    return found


def test_ranks_share_the_statistics_of_all_images():
    whole, more = images(seed=0), images(seed=1)
    model = build(detector_cfg(), **LOCAL)
    step(model, {key: value + more[key] for key, value in whole.items()})
    for (first, state), (second, other) in zip(*run_ranks(one_rank), strict=True):
        assert first.keys() == second.keys() and any(key.startswith('backbone.') for key in first)
        for name in first:
            assert torch.equal(first[name], second[name]), name
        assert state.keys() == other.keys() == model.state_dict().keys()
        for name, value in model.state_dict().items():
            if 'running' in name or 'num_batches' in name:
                assert torch.equal(state[name], other[name]), name
                torch.testing.assert_close(state[name], value, rtol=1e-4, atol=1e-5, msg=name)


def test_one_process_trains_as_with_its_own_norms():
    plain = build(detector_cfg(), **LOCAL)
    model = convert_sync_batchnorm(copy.deepcopy(plain), 'torch')
    assert any(isinstance(part, torch.nn.SyncBatchNorm) for part in model.auxiliary.modules())
    theirs = step(plain, images())
    for name, gradient in step(model, images()).items():
        assert torch.equal(gradient, theirs[name]), name
