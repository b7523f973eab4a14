"""A pipeline over ranks trains what one device does, to the last bit."""
import copy
from functools import cache
from itertools import pairwise
from types import SimpleNamespace

import counted_once
import mmpretrain.engine
import pytest
import torch
import torch.distributed as dist
from detectors import build as detector
from detectors import detector_cfg, images
from digit_runs import config, differing, state, train
from mmengine.hooks import EMAHook
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from networks import sequential
from ranks import run_ranks
from small import CLASSES, auglocal, batch, classifier, in_float64
from torch import nn

from auglocal_mm import (
    AugLocalOptimWrapper,
    LocalDistributedDataParallel,
    LocalPipelineParallel,
)
from auglocal_mm.engine.hooks.pipeline_hooks import SplitWeights, _only_averages
from auglocal_mm.engine.launch import build_runner
from auglocal_mm.engine.owned_weights import OwnedWeights, owners_by_name
from auglocal_mm.engine.pipeline_parallel import stages_of
from auglocal_mm.engine.rank_group import RankGroup
from auglocal_mm.engine.share import hollow
from auglocal_mm.models.counted_costs import module_costs
from auglocal_mm.plan import Assignment, schedule

STEPS = 4
RULES = {
    'auglocal': auglocal(3, modules=4),
    'dgl': {'type': 'auglocal_mm.DGL', 'depth': 3, 'modules': 4},
    'predsim': {'type': 'auglocal_mm.PredSim', 'modules': 4},
    'infopro': {'type': 'auglocal_mm.InfoPro', 'modules': 4},
}


@pytest.fixture(autouse=True)
def _counted_once(monkeypatch):
    monkeypatch.setattr('auglocal_mm.engine.pipeline_parallel.module_costs', counted_once.counted)


def build(local, **model):
    return classifier(local, **copy.deepcopy(model)).train()


def wrapper_of(model, settings):
    return build_optim_wrapper(model, {
        'type': AugLocalOptimWrapper,
        'optimizer': {'type': 'SGD', 'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-3},
        **copy.deepcopy(settings)})


def averages_of(model):
    """One that follows the buffers, and one that averages them, too, at every other step."""
    return nn.ModuleList([
        ExponentialMovingAverage(model, momentum=0.3),
        ExponentialMovingAverage(model, momentum=0.3, interval=2, update_buffers=True)])


def ends(model, averages, log, wrapper):
    if wrapper.clip_grad_kwargs:
        log = {**log, 'grad_norm': torch.tensor(
            wrapper.message_hub.get_scalar('train/grad_norm').current())}
    return ({name: value.clone() for name, value in model.state_dict().items()},
            {name: value.clone() for name, value in averages.state_dict().items()},
            {**{key: value.item() for key, value in log.items()},
             **{name: loss.item() for name, loss in model.local_metrics.losses.items()},
             **{name: value.item() for name, value in model.local_metrics.accuracies.items()}})


def data(step):
    return batch(4 if step == 2 else 6, seed=step)


def alone(local, settings, **model):
    model = counted_once.count(build(local, **model))
    averages, wrapper = averages_of(model), wrapper_of(model, settings)
    wrapper.initialize_count_status(model, 0, STEPS)
    for step in range(STEPS):
        log = model.train_step(data(step), wrapper)
        for average in averages:
            average.update_parameters(model)
    return ends(model, averages, log, wrapper), wrapper.state_dict()


def stage_job(rank, local, settings, options, kwargs):
    model = build(local, **options)
    averages = averages_of(model)
    wrapper = wrapper_of(model, settings)
    # That of the run before must not pass for one which this run does not log.
    wrapper.message_hub.log_scalars.pop('train/grad_norm', None)
    wrapper.initialize_count_status(model, 0, STEPS)
    pipeline = LocalPipelineParallel(model, **kwargs)
    for average in averages:
        pipeline.weights.follow(average)
    pipeline.begin()
    for step in range(STEPS):
        log = pipeline.train_step(data(step) if pipeline.is_first else None, wrapper)
        for average in averages:
            average.update_parameters(model)
    bytes_held = [sum(p.untyped_storage().nbytes() for p in each.parameters())
                  for each in (model, *averages)]
    pipeline.finish()
    pipeline.weights.fill()
    pipeline.weights.fetch_state(wrapper.optimizer, len(pipeline.assignment.stages) - 1)
    return ends(model, averages, log, wrapper), wrapper.state_dict(), bytes_held


def assert_equal(one, other):
    for first, second in zip(one, other, strict=True):
        assert first.keys() == second.keys()
        for key, value in first.items():
            same = torch.equal(value, second[key]) if isinstance(value, torch.Tensor) else (
                value == second[key])
            assert same, key


#: Runs in pipelines, by their number of stages: a rule, settings, and those of the pipeline.
#: A network of few weights: a rank sends each of them by itself to begin and to end a run.
SMALL = {'backbone': sequential(),
         'head': {'type': 'LinearClsHead', 'num_classes': CLASSES, 'in_channels': 12}}
SETTINGS = [
    {'accumulative_counts': 2}, {'dtype': 'bfloat16', 'step_per_module': True},
    {'clip_grad': {'max_norm': 0.1, 'per_module': True}, 'accumulative_counts': 2},
    {'clip_grad': {'max_norm': 0.1, 'per_module': True}, 'step_per_module': True},
    {'dtype': 'float16', 'loss_scale': 512.0, 'step_per_module': True},
]
SMALL_AGAIN = {**SMALL, 'recompute': True}
RUNS = {
    1: [('auglocal', {}, SMALL, {})],
    2: [('auglocal', {}, SMALL, {}),
        *((rule, {'step_per_module': True}, SMALL, {}) for rule in RULES)],
    3: [('auglocal', {}, SMALL, {}),
        *(('auglocal', settings, SMALL_AGAIN, {'queue': 1}) for settings in SETTINGS)],
    4: [('auglocal', {}, {}, {})],
}


def stage_jobs(rank, stages):
    """All runs in as many stages, one after another: starting ranks takes longer than a run."""
    return [stage_job(rank, RULES[rule], *others) for rule, *others in RUNS[stages]]


@cache
def runs(stages):
    for rule, _, options, _ in RUNS[stages]:
        counted_once.count(build(RULES[rule], **options))
    return list(zip(*run_ranks(stage_jobs, stages, ranks=stages), strict=True))


def check(rule, settings, stages, options, kwargs):
    wanted, optimizer = alone(RULES[rule], settings, **options)
    found = runs(stages)[RUNS[stages].index((rule, settings, options, kwargs))]
    assert_equal(wanted, found[0][0])
    for key, values in optimizer['state'].items():
        assert_equal([values], [found[0][1]['state'][key]])
    for other in found[1:]:
        assert_equal(wanted[:2], other[0][:2])
    return found


@pytest.mark.parametrize('stages', RUNS)
def test_any_number_of_stages_trains_the_same_weights(stages):
    options = RUNS[stages][0][2]
    found = check('auglocal', {}, stages, options, {})
    whole = sum(p.numel() * 4 for p in build(RULES['auglocal'], **options).parameters())
    for held in zip(*(each[2] for each in found), strict=True):  # by the model, by each average
        assert whole <= sum(held) <= whole * 1.01 + 4 * stages * 200, 'each is held once'


def test_a_weight_with_two_names_has_one_owner():
    # An average that follows buffers is updated by the names of a state dict.
    model = build(RULES['auglocal'])
    model.head.same = model.head.fc
    owner = owners_by_name(model, {module: module for module in range(4)})
    assert owner('module.head.same.weight') == owner('module.head.fc.weight') == 3
    assert [name for name in model.state_dict() if owner(name) is None] == []


def host_job(rank):
    model = nn.Linear(3, 2)
    with torch.no_grad():
        model.weight.fill_(rank)
    weights = OwnedWeights(
        model, {'weight': 0, 'bias': 1}.get, stage=rank, rank_of=int,
        group=RankGroup(of_host=dist.group.WORLD, of_device='NCCL', device=torch.device('cuda')))
    weights.empty()
    weights.fill()
    return model.weight.detach().clone()


def test_what_lies_on_the_host_is_fetched_by_its_group():
    # As an average with EMAHook's device='cpu' beside a model on accelerators.
    assert [weight.unique().tolist() for weight in run_ranks(host_job)] == [[0.0], [0.0]]


class Writing(EMAHook):
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.ema_model.module.load_state_dict(self.src_model.state_dict())


@pytest.mark.parametrize(('hook', 'apart'), [
    (EMAHook(), True), (EMAHook(begin_iter=2), False), (EMAHook(begin_epoch=1), False),
    (mmpretrain.engine.EMAHook(evaluate_on_origin=True), True), (Writing(), False)])
def test_averages_are_divided_if_they_are_written_in_one_way(hook, apart):
    hook.before_run(SimpleNamespace(model=nn.Linear(1, 1)))
    assert _only_averages(hook) is apart


@pytest.mark.parametrize('rule', RULES)
def test_every_rule(rule):
    check(rule, {'step_per_module': True}, 2, SMALL, {})


@pytest.mark.parametrize('settings', SETTINGS, ids=str)
def test_with_other_settings(settings):
    check('auglocal', settings, 3, SMALL_AGAIN, {'queue': 1})


LOCAL = dict(local=auglocal(3, modules=3), local_loss=['detection', 'reconstruction'])


def detector_job(rank, kwargs):
    """Two steps of a local detector: on one device without `kwargs`, else in a pipeline."""
    torch.manual_seed(0)
    model = detector(detector_cfg(), **LOCAL)
    wrapper = wrapper_of(model, {})
    trained = model if kwargs is None else LocalPipelineParallel(model, **kwargs)
    if kwargs is not None:
        trained.begin()
    with DefaultScope.overwrite_default_scope('mmdet'):
        for step in range(2):
            torch.manual_seed(step)
            seed = step if kwargs is None else 10 * trained.replica + step
            trained.train_step(images(seed=seed), wrapper)
    if kwargs is not None:
        trained.finish()
        trained.weights.fill()
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.fixture(scope='module')
def counted_detector():
    counted_once.count(detector(detector_cfg(), **LOCAL))


@pytest.mark.parametrize('stages', [2, 3])
def test_a_detector_with_neck_and_heads_in_the_last_stage(stages, counted_detector):
    wanted = detector_job(0, None)
    for found in run_ranks(detector_job, {}, ranks=stages):
        assert_equal([wanted], [found])


def replica_job(rank, kwargs):
    model = in_float64(classifier(RULES['auglocal'], seed=rank)).eval()
    if kwargs is None:
        trained = LocalDistributedDataParallel(model)
        replica = rank
    else:
        trained = LocalPipelineParallel(model, **kwargs)
        trained.begin()
        replica = trained.replica
    wrapper = wrapper_of(model, {'nonfinite': 'stop'})
    for step in range(STEPS):
        trained.train_step(batch(4, seed=10 * replica + step, dtype=torch.float64), wrapper)
    if kwargs is not None:
        trained.finish()
        trained.weights.fill()
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_replicas_average_inside_a_stage_alone():
    counted_once.count(in_float64(classifier(RULES['auglocal'])))
    wanted = run_ranks(replica_job, None, ranks=2)[0]
    for found in run_ranks(replica_job, {'stages': 2}, ranks=4):
        assert_equal([wanted], [found])


def test_losses_of_detectors_exchange_values_between_replicas_alone(counted_detector):
    found = run_ranks(detector_job, {'stages': 2}, ranks=4)
    for other in found[1:]:
        parameters = {key for key in other if 'running_' not in key and 'num_batches' not in key}
        assert_equal([{key: found[0][key] for key in parameters}],
                     [{key: other[key] for key in parameters}])


def trace_job(rank, steps, queue):
    pipeline = LocalPipelineParallel(build(RULES['auglocal']), queue=queue)
    pipeline.trace = []
    pipeline.begin()
    wrapper = wrapper_of(pipeline.module, {})
    for step in range(steps):
        pipeline.train_step(data(step) if pipeline.is_first else None, wrapper)
    pipeline.finish()
    return pipeline.trace, str(pipeline.assignment)


def trace_jobs(rank, steps, queues):
    own = module_costs(build(RULES['auglocal']))
    return [trace_job(rank, steps, queue) for queue in queues], own


@cache
def traces(steps, queues):
    counted = counted_once.counted(counted_once.count(build(RULES['auglocal'])))
    found, own = zip(*run_ranks(trace_jobs, steps, queues, ranks=3), strict=True)
    assert all(costs == counted for costs in own), 'each rank would have counted the same'
    return dict(zip(queues, zip(*found, strict=True), strict=True))


@pytest.mark.parametrize('queue', [1, 2])
def test_the_schedule_that_is_planned_is_the_one_that_runs(queue):
    found = traces(5, (1, 2))[queue]
    stages = stages_of(build(RULES['auglocal']), 3)
    assert found[0][1] == str(Assignment(stages))
    for rank, (trace, _) in enumerate(found):
        planned = schedule(Assignment(stages), 2 - rank, 5, queue=queue)
        # The last waits come when the training ends.
        sent = max((place for place, each in enumerate(planned) if each.kind == 'send'),
                   default=len(planned))
        assert [(each.kind, 'of' if each.kind == 'wait' else each.step) for each in trace] == [
            (each.kind, 'of' if each.kind == 'wait' else each.step)
            for each in planned[:sent + 1] if each.kind != 'update']
        assert all(one.stop <= other.start for one, other in pairwise(trace))


def doors_job(rank):
    said = []
    for kwargs in ({'stages': 3}, {'stages': 0}, {'queue': 0}):
        said.append(refusal(lambda kwargs=kwargs: LocalPipelineParallel(
            build(RULES['auglocal']), **kwargs)))
    said.append(refusal(lambda: LocalPipelineParallel(build({'type': 'auglocal_mm.Backprop'}))))
    said.append(refusal(lambda: LocalPipelineParallel(classifier())))
    model = build(RULES['auglocal'])
    pipeline = LocalPipelineParallel(model)
    said.append(refusal(lambda: pipeline.train_step(batch(), wrapper_of(model, {}))))
    pipeline.begin()
    for settings in ({'clip_grad': {'max_norm': 1.0}}, {'nonfinite': 'skip'},
                     {'dtype': 'float16'}):
        said.append(refusal(lambda settings=settings: pipeline.train_step(
            batch(), wrapper_of(model, settings))))
    plain = OptimWrapper(torch.optim.SGD(model.parameters(), 0.1))
    said.append(refusal(lambda: pipeline.train_step(batch(), plain)))
    lamb = AugLocalOptimWrapper(mmpretrain.engine.Lamb(model.parameters(), lr=0.1))
    said.append(refusal(lambda: pipeline.train_step(batch(), lamb)))
    # In a run, before anything is loaded.
    said.append(refusal(lambda: SplitWeights().before_run(
        SimpleNamespace(model=pipeline, optim_wrapper=plain))))
    return said


def refusal(call):
    with pytest.raises((TypeError, ValueError, RuntimeError)) as caught:
        call()
    return str(caught.value)


def test_what_cannot_be_is_refused_with_the_fix():
    words = ['at most 2, got 3', 'got 0', 'queue', 'in 1 … 1', 'leave', 'call begin()',
             'per_module=True', 'step_per_module=True', 'loss_scale=512.0',
             'AugLocalOptimWrapper', 'Lamb updates', 'AugLocalOptimWrapper']
    for said in run_ranks(doors_job):
        for word, line in zip(words, said, strict=True):
            assert word in line


def gone_job(rank):
    model = build(RULES['auglocal'])
    pipeline = LocalPipelineParallel(model)
    pipeline.begin()
    wrapper = wrapper_of(model, {})
    if pipeline.is_first:
        pipeline.train_step(batch(), wrapper)
        return  # and leaves: the process ends
    pipeline.train_step(None, wrapper)
    with pytest.raises(RuntimeError, match='the stage before this one has gone'):
        pipeline.train_step(None, wrapper)


def test_a_stage_that_has_gone_ends_the_others():
    run_ranks(gone_job)


def runner_job(rank, folder, variants, stages, resume, options):
    cfg = config(folder, *variants, **options)
    cfg.launcher = 'pytorch'
    cfg.model_wrapper_cfg = {'type': 'auglocal_mm.LocalPipelineParallel', 'stages': stages}
    # So small a network has no large weights; all but single numbers are taken for such.
    hollow.LEAST_VALUES = 2
    runner = train(cfg, resume)
    assert runner._share is not None


#: The first checkpoint falls between two updates, in the middle of an epoch.
MIDWAY = {'default_hooks.checkpoint.interval': 4}


@pytest.mark.parametrize(('variants', 'options'), [
    (('ema', 'best', 'workers', 'accumulation', 'midway'), MIDWAY),
    # Each by itself, and an average that begins later, of which every rank keeps all.
    *(pytest.param(variants, options, marks=pytest.mark.slow) for variants, options in [
        (('ema', 'best', 'workers'), {}), (('accumulation', 'midway'), MIDWAY),
        (('late ema', 'midway'), MIDWAY),
        (('midway',), {**MIDWAY, 'custom_hooks': [
            {'type': 'EMAHook', 'momentum': 0.3, 'begin_iter': 3, 'update_buffers': True}]}),
    ])], ids=str)
def test_a_run_writes_the_checkpoints_of_one_device_and_resumes_from_any_layout(
        variants, options, tmp_path):
    counted_once.count(train(config(tmp_path / 'alone', *variants, **options)).model)
    run_ranks(runner_job, tmp_path / 'ours', variants, 2, None, options, ranks=2)
    names = sorted(path.name for path in (tmp_path / 'alone').glob('*.pth'))
    assert len(names) >= 2
    for name in names:
        assert not differing(state(tmp_path / 'alone' / name), state(tmp_path / 'ours' / name))
    saved = sorted((name for name in names if 'best' not in name),
                   key=lambda name: int(name.split('_')[-1][:-4]))
    middle, last = saved[0], saved[-1]
    train(config(tmp_path / 'over', *variants, **options), tmp_path / 'ours' / middle)
    run_ranks(runner_job, tmp_path / 'back', variants, 3, tmp_path / 'alone' / middle, options,
              ranks=3)
    for folder in ('over', 'back'):
        assert not differing(state(tmp_path / 'alone' / last), state(tmp_path / folder / last))


SHIFTS = {'custom_hooks': [{'type': 'auglocal_mm.DeviceAugmentHook'}]}


def test_augmentation_on_the_device_is_that_of_one_device(tmp_path):
    counted_once.count(train(config(tmp_path / 'alone', epochs=1, **SHIFTS)).model)
    run_ranks(runner_job, tmp_path / 'ours', (), 2, None, {'epochs': 1, **SHIFTS}, ranks=2)
    assert not differing(*(state(tmp_path / folder / 'epoch_1.pth')
                           for folder in ('alone', 'ours')))


def build_job(rank, folder, options):
    cfg = config(folder, **options)
    cfg.launcher = 'pytorch'
    cfg.model_wrapper_cfg = {'type': 'auglocal_mm.LocalPipelineParallel'}
    return refusal(lambda: build_runner(cfg, splits=('train', 'val')))


def test_what_does_not_know_about_stages_is_refused_before_the_training(tmp_path):
    for said in run_ranks(build_job, tmp_path, {
            'custom_hooks': [{'type': 'mmpretrain.PreciseBNHook'}, {'type': 'SyncBuffersHook'}],
            'train_dataloader.num_batch_per_epoch': 3,
            'auto_scale_lr': {'base_batch_size': 8, 'enable': True}}):
        for word in ('PreciseBNHook needs', 'SyncBuffersHook needs', 'num_batch_per_epoch',
                     'auto_scale_lr'):
            assert word in said


def test_a_run_of_upstreams_runner_stops_before_its_first_step(tmp_path):
    for said in run_ranks(upstream_job, tmp_path):
        assert 'start with tools/dist_train.sh' in said


def upstream_job(rank, folder):
    cfg = config(folder)
    cfg.launcher = 'pytorch'
    cfg.model_wrapper_cfg = {'type': 'auglocal_mm.LocalPipelineParallel'}
    return refusal(lambda: Runner.from_cfg(cfg).train())
