"""A rank builds its own stage: the weights of one device, and no memory for those of others."""
from functools import cache

import pytest
import torch
from digit_runs import config, train
from mmengine.hooks import Hook
from mmengine.model import ExponentialMovingAverage
from mmengine.registry import MODELS
from mmengine.runner import save_checkpoint
from networks import NETWORKS, sequential
from ranks import run_ranks
from small import auglocal, classifier, network_classifier

from auglocal_mm import LocalPipelineParallel
from auglocal_mm.engine.share import hollow
from auglocal_mm.engine.share.build import build_share, initialise_share
from auglocal_mm.models.backbones import ResNetCIFAR

STAGES = 2
#: These networks are small. Layer scales stay below it.
LARGE = 100
#: One of each way in which auxiliary networks are made: blocks built or copied, other layers.
FAMILIES = ('CIFAR ResNet-20', 'cut by memory', 'VisionTransformer', 'ConvNeXt')


@pytest.fixture(autouse=True)
def _small_is_large(monkeypatch):
    monkeypatch.setattr(hollow, 'LEAST_VALUES', LARGE)
    # Counting takes longer than everything else here, and where stages end does not matter.
    monkeypatch.setattr('auglocal_mm.engine.pipeline_parallel.module_costs', not_counted)


def not_counted(model):
    raise ValueError('costs are not counted in this test')


def of_network(name):
    return network_classifier(NETWORKS[name], auglocal(3, modules=3))


def held(model):
    return sum(each.untyped_storage().nbytes() for each in model.parameters())


def build_and_compare(build, seed=3):
    """Build a share and a whole model; return what the share holds, and where they differ."""
    torch.manual_seed(seed)
    model, share = build_share(build, stages=STAGES)
    if share is None:
        model.init_weights()
        pipeline = LocalPipelineParallel(model)
    else:
        with share.hollow:
            initialise_share(model, share)
            pipeline = LocalPipelineParallel(model, share=share)
    drawn = torch.get_rng_state()
    bytes_held = held(model)
    pipeline.begin()
    pipeline.weights.fill()
    torch.manual_seed(3)
    whole = build()
    whole.init_weights()
    same = torch.equal(drawn, torch.get_rng_state())
    differing = [name for name, value in whole.state_dict().items()
                 if not (torch.equal(value, model.state_dict()[name])
                         and value.stride() == model.state_dict()[name].stride())]
    return share is not None, bytes_held / held(whole), same, differing


def cut_by_memory():
    """A network whose constructor counts costs, on weights of which some are not there."""
    return classifier(auglocal(3, modules=3, balance='memory'))


def network_jobs(rank, names):
    return {name: build_and_compare(cut_by_memory if name == 'cut by memory' else
                                    lambda name=name: of_network(name)) for name in names}


@pytest.mark.parametrize('names', [
    FAMILIES, pytest.param(tuple(NETWORKS), marks=pytest.mark.slow)], ids=['some', 'all'])
def test_the_weights_of_one_device_once_over_all_ranks(names):
    ranks = run_ranks(network_jobs, names, ranks=STAGES)
    for name in names:
        check_share(*(rank[name] for rank in ranks))


def check_share(*found):
    assert [each[0] for each in found] == [True] * STAGES
    assert sum(each[1] for each in found) < 1.35, 'large weights are held once'
    for _, _, same_numbers_follow, differing in found:
        assert same_numbers_follow
        assert not differing


def other_seed_job(rank):
    return build_and_compare(lambda: Drawn.build(rank), seed=3 + rank)


class Drawn:
    """Builds from whatever numbers come next."""

    @staticmethod
    def build(rank):
        state = torch.get_rng_state()
        model = small()  # it seeds
        torch.set_rng_state(state)
        for part in model.modules():
            if hasattr(part, 'reset_parameters'):
                part.reset_parameters()
        return model


def test_ranks_with_other_seeds_have_the_first_ones_weights():
    for built, _, same_numbers_follow, differing in run_ranks(other_seed_job):
        assert built
        assert same_numbers_follow
        assert not differing


def small():
    """A network whose third convolution is in the first stage, and large."""
    return classifier(auglocal(3, modules=3), backbone=sequential(), head={
        'type': 'LinearClsHead', 'num_classes': 4, 'in_channels': 12})


def mixed():
    """Weights of the last stage that are computed from those of the first."""
    model = small()
    with torch.no_grad():
        model.head.fc.weight.add_(model.backbone[3].weight.std())
    return model


def hidden():
    model = small()
    model.head.prototypes = [model.backbone[3].weight.detach() * 2]
    return model


def by_value():
    model = small()
    model.head.temperature = model.backbone[3].weight.std().item()
    return model


def drawn_by_value():
    model = small()
    if (model.backbone[3].weight > 0).any():
        torch.rand(1)
    return model


def failing_without_values():
    model = small()
    assert model.backbone[3].weight.std().isfinite()
    assert model.backbone[3].weight.std() > 0
    return model


def of_another_layout():
    model = small()
    conv = model.backbone[3]
    conv.weight = torch.nn.Parameter(conv.weight.data.transpose(0, 1))
    return model


def drawn_in_the_order_of_a_set():
    # As of words, whose order depends on the process. The first rank's would count.
    model = classifier(auglocal(3, modules=3))
    stages = [model.backbone.layer1, model.backbone.layer3]
    for stage in stages[::-1] if torch.distributed.get_rank() else stages:
        stage[1].conv1.reset_parameters()
    return model


def order_job(rank):
    torch.manual_seed(3)
    _, share = build_share(drawn_in_the_order_of_a_set, stages=STAGES)
    return share is None


def test_weights_that_ranks_draw_in_another_order_are_the_first_ones():
    assert all(run_ranks(order_job))


WHOLE = {'mixed': mixed, 'hidden': hidden, 'by value': by_value, 'drawn by value': drawn_by_value,
         'failing without values': failing_without_values,
         'of another layout': of_another_layout}


def whole_job(build):
    """Tell whether every rank has a whole model, and where it differs from one of its own."""
    torch.manual_seed(3)
    model, share = build_share(build, stages=STAGES)
    torch.manual_seed(3)
    return share is None, [name for name, value in build().state_dict().items()
                           if not torch.equal(value, model.state_dict()[name])]


def whole_jobs(rank):
    return {kind: whole_job(build) for kind, build in WHOLE.items()}


@cache
def wholes_built():
    return run_ranks(whole_jobs)


@pytest.mark.parametrize('kind', WHOLE)
def test_every_rank_builds_the_whole_model_where_one_needs_it(kind):
    for rank in wholes_built():
        assert rank[kind] == (True, [])


def pretrained(path):
    model = classifier(auglocal(3, modules=3))
    model.backbone.init_cfg = {'type': 'Pretrained', 'checkpoint': path}
    return model


def pretrained_job(rank, path):
    return build_and_compare(lambda: pretrained(path))


def test_pretrained_weights_are_loaded_where_they_are_needed(tmp_path):
    model = classifier(auglocal(3, modules=3), seed=11)
    save_checkpoint({'state_dict': model.backbone.state_dict()}, str(tmp_path / 'weights.pth'))
    found = run_ranks(pretrained_job, str(tmp_path / 'weights.pth'))
    assert sum(share for _, share, _, _ in found) < 1.5
    for built, _, same_numbers_follow, differing in found:
        assert built
        assert same_numbers_follow
        assert not differing


class Looking(Hook):
    """Reads weights before the training."""

    def before_train(self, runner):
        weight = runner.model.module.backbone.layer1[0].conv1.weight
        self.norm = weight.norm().item()


def looking_job(rank, folder, build):
    cfg = config(folder, epochs=1)
    cfg.launcher = 'pytorch'
    cfg.custom_hooks = [{'type': Looking}]
    cfg.model_wrapper_cfg = {'type': 'auglocal_mm.LocalPipelineParallel', **build}
    hollow.LEAST_VALUES = 2
    try:
        runner = train(cfg)
    except RuntimeError as error:
        return str(error)
    return next(hook.norm for hook in runner.hooks if isinstance(hook, Looking))


def test_a_hook_that_reads_weights_is_told_how_to_get_them(tmp_path):
    # Rank 1 has the first stage, and with it what the hook reads; it loses its peer.
    assert "build='whole'" in run_ranks(looking_job, tmp_path / 'stage', {})[0]
    norms = run_ranks(looking_job, tmp_path / 'whole', {'build': 'whole'})
    assert norms[0] == norms[1] > 0


def gradients_job(rank):
    torch.manual_seed(3)
    model, share = build_share(small, stages=STAGES)
    with share.hollow:
        pipeline = LocalPipelineParallel(model, share=share)
        for parameter in model.parameters():  # as a resume sets what had accumulated
            parameter.grad = torch.ones_like(parameter)
    pipeline.begin()
    return [pipeline.owns(name) for name, parameter in model.named_parameters()
            if parameter.grad is not None]


def test_gradients_of_other_stages_are_let_go():
    for owned in run_ranks(gradients_job):
        assert owned
        assert all(owned)


def average_job(rank):
    torch.manual_seed(3)
    model, share = build_share(small, stages=STAGES)
    with share.hollow:
        pipeline = LocalPipelineParallel(model, share=share)
        average = ExponentialMovingAverage(model, update_buffers=True)
        pipeline.weights.follow(average, apart=False)  # as one that begins later
    pipeline.begin()
    assert all(map(share.hollow.is_there, [*model.parameters(), *average.parameters()]))
    average.update_parameters(model)
    averages = dict(average.module.named_parameters())
    return [name for name, weight in model.named_parameters()
            if pipeline.owns(name) and not torch.equal(weight, averages[name])]


def test_an_average_of_everything_has_memory_when_the_training_begins():
    assert run_ranks(average_job) == [[], []]


@MODELS.register_module()
class TakesItsSettings(ResNetCIFAR):
    """Takes a setting out of its config, as the first construction finds it."""

    def __init__(self, nested, **settings):
        super().__init__(base_channels=nested.pop('channels', 8), **settings)


def settings_job(rank, folder):
    cfg = config(folder, epochs=1)
    cfg.launcher = 'pytorch'
    cfg.model.backbone = {
        'type': TakesItsSettings, 'depth': 20, 'stem_channels': 4, 'nested': {'channels': 4}}
    cfg.model.head.in_channels = 16
    cfg.model_wrapper_cfg = {'type': 'auglocal_mm.LocalPipelineParallel'}
    runner = train(cfg)
    return runner._share is not None


def test_each_construction_has_the_whole_config(tmp_path):
    assert run_ranks(settings_job, tmp_path) == [True, True]
