"""What a module draws depends on the step and the module, and not on who trains it."""
import random

import numpy as np
import pytest
import torch
from detectors import build as detector
from detectors import detector_cfg, images
from digit_runs import config, differing, state, train
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from ranks import run_ranks
from small import auglocal, batch, classifier

from auglocal_mm import AugLocalOptimWrapper, LocalPipelineParallel, ModuleSeedHook
from auglocal_mm.engine.hooks.module_seed_hook import ModuleSeeds

DRAWS = {'model.backbone.drop_path_rate': 0.5,
         'custom_hooks': [{'type': 'auglocal_mm.ModuleSeedHook'}]}


def runner_job(rank, folder, resume):
    cfg = config(folder, **DRAWS)
    cfg.launcher = 'pytorch'
    cfg.model_wrapper_cfg = {'type': 'auglocal_mm.LocalPipelineParallel'}
    train(cfg, resume)


def test_stochastic_depth_in_a_pipeline_is_that_of_one_device(tmp_path):
    train(config(tmp_path / 'alone', **DRAWS))
    run_ranks(runner_job, tmp_path / 'ours', None, ranks=2)
    train(config(tmp_path / 'over', **DRAWS), tmp_path / 'ours' / 'epoch_1.pth')
    wanted = state(tmp_path / 'alone' / 'epoch_2.pth')
    for folder in ('ours', 'over'):
        assert not differing(wanted, state(tmp_path / folder / 'epoch_2.pth'))


def detector_job(rank, stages):
    model = detector(detector_cfg(), local=auglocal(3, modules=3), local_loss='detection')
    # Two proposals of many: which ones decides the losses.
    model.roi_head.bbox_sampler.num = 2
    wrapper = AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), 0.1))
    trained = LocalPipelineParallel(model) if stages > 1 else model
    seeds = ModuleSeeds(3, replica=0)
    model.listeners.add(seeds)
    if stages > 1:
        trained.begin()
    torch.manual_seed(rank)  # whatever a rank has drawn so far
    with DefaultScope.overwrite_default_scope('mmdet'):
        for seeds.iteration in range(2):
            trained.train_step(images(seed=seeds.iteration), wrapper)
    if stages > 1:
        trained.finish()
        trained.weights.fill()
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_sampled_regions_in_a_pipeline_are_those_of_one_device():
    wanted = detector_job(7, 1)
    for found in run_ranks(detector_job, 2, ranks=2):
        assert wanted.keys() == found.keys()
        assert all(torch.equal(value, found[key]) for key, value in wanted.items())


class Drawing(torch.nn.Module):
    """Draws from every generator, and notes what it got."""

    def __init__(self, block, book):
        super().__init__()
        self.block, self.book = block, book

    def forward(self, values):
        self.book.append((torch.rand(()).item(), np.random.random(), random.random()))
        return self.block(values)


def draws(*, seed=0, replica=0, first=0, iteration=0):
    """What three blocks draw in a step, and what the process draws after it."""
    torch.manual_seed(5), np.random.seed(5), random.seed(5)
    model, book = classifier(auglocal(3)).train(), []
    for place, name in enumerate(['layer1', 'layer2', 'layer3']):
        if place >= first:
            blocks = getattr(model.backbone, name)
            blocks[0] = Drawing(blocks[0], book)
    torch.manual_seed(6)
    seeds = ModuleSeeds(seed, replica=replica)
    seeds.iteration = iteration
    model.listeners.add(seeds)
    model.train_step(batch(), AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), 0.1)))
    return book, (torch.rand(()).item(), np.random.random(), random.random())


def test_draws_follow_from_seed_iteration_module_and_replica_alone():
    book, after = draws()
    assert len({value for drawn in book for value in drawn}) == 9, 'all differ'
    assert draws() == (book, after)
    assert draws(first=1) == (book[1:], after), 'whoever draws before changes nothing'
    for other in ({'seed': 1}, {'replica': 1}, {'iteration': 1}):
        assert not {*book} & {*draws(**other)[0]}
    torch.manual_seed(6), np.random.seed(5), random.seed(5)
    assert after == (torch.rand(()).item(), np.random.random(), random.random()), (
        'nobody else notices')


@pytest.mark.parametrize('seed', [-1, 1.5, 'a', True])
def test_an_impossible_seed_is_refused(seed):
    with pytest.raises(ValueError, match='from 0 on'):
        ModuleSeedHook(seed)


def test_other_models_are_refused(tmp_path):
    cfg = config(tmp_path, custom_hooks=DRAWS['custom_hooks'])
    cfg.model.type = 'mmpretrain.ImageClassifier'
    del cfg.model['local']
    cfg.optim_wrapper.type = OptimWrapper
    cfg.default_hooks.pop('auxiliary_head', None)
    with pytest.raises(TypeError, match='leave the hook out'):
        train(cfg)
