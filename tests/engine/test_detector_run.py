"""A locally trained detector under mmengine's real Runner: ranks, precision, averages, resuming."""
import copy

import pytest
import torch
from detectors import build, detector_cfg, images
from digit_runs import ROOT, differing, state, train
from mmengine.config import Config
from mmengine.registry import DefaultScope
from ranks import run_ranks
from small import KeepGradients, auglocal

from auglocal_mm import AugLocalOptimWrapper, DetectionLoss, LocalDistributedDataParallel
from auglocal_mm.execution.nonfinite import NonFiniteError
from auglocal_mm.plan import TaskHead
from auglocal_mm.registry import DETECTION_LOSSES

CONFIG = ROOT / 'configs/demo/mask-rcnn_digit-scenes_local.py'
LOCAL = dict(local=auglocal(3, modules=3), local_loss=['segmentation', 'reconstruction'])


def step(model, data, **settings):
    optimizer = KeepGradients(getattr(model, 'module', model))
    with DefaultScope.overwrite_default_scope('mmdet'):
        torch.manual_seed(5)
        model.train_step(data, AugLocalOptimWrapper(optimizer, **settings))
    return optimizer.seen[0]


def one_rank(rank):
    model = LocalDistributedDataParallel(build(detector_cfg(), seed=rank, **LOCAL))
    return step(model, images(seed=rank))


def test_two_ranks_have_the_mean_of_their_gradients():
    model = build(detector_cfg(), seed=0, **LOCAL)
    alone = [step(copy.deepcopy(model), images(seed=rank)) for rank in range(2)]
    first, second = run_ranks(one_rank)
    assert first.keys() == second.keys() == alone[0].keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name
        mean = (alone[0][name] + alone[1][name]) / 2
        torch.testing.assert_close(first[name], mean, rtol=1e-5, atol=1e-7, msg=name)


def test_accumulated_gradients_are_the_mean_of_the_steps():
    model = build(detector_cfg(), **LOCAL)
    alone = []
    for seed in range(2):  # one after another: batch norms remember
        alone.append(step(model, images(seed=seed)))
    model = build(detector_cfg(), **LOCAL)
    optimizer = KeepGradients(model)
    wrapper = AugLocalOptimWrapper(optimizer, accumulative_counts=2)
    with DefaultScope.overwrite_default_scope('mmdet'):
        for seed in range(2):
            torch.manual_seed(5)
            model.train_step(images(seed=seed), wrapper)
    for name, gradient in optimizer.seen[0].items():
        mean = (alone[0].get(name, 0) + alone[1].get(name, 0)) / 2
        torch.testing.assert_close(gradient, mean, rtol=1e-5, atol=1e-6, msg=name)


def test_bfloat16_trains_and_recomputes_in_the_same_precision():
    plain = build(detector_cfg(), **LOCAL)
    again = build(detector_cfg(), **LOCAL, recompute=True)
    again.load_state_dict(plain.state_dict())
    full = step(copy.deepcopy(plain), images())
    low, recomputed = (step(each, images(), dtype='bfloat16') for each in (plain, again))
    for name, gradient in low.items():
        assert gradient.isfinite().all() and torch.equal(gradient, recomputed[name]), name
    name = 'backbone.layer2.0.conv1.weight'
    assert not torch.equal(low[name], full[name])
    assert torch.cosine_similarity(low[name].flatten(), full[name].flatten(), dim=0) > 0.7


def config(work_dir, folder):
    cfg = Config.fromfile(CONFIG)
    cfg.merge_from_dict({
        'work_dir': str(work_dir), 'launcher': 'none', 'train_cfg.max_epochs': 2,
        'train_cfg.val_interval': 2, 'model.backbone.init_cfg': None,
        'model.backbone.base_channels': 4, 'model.backbone.stem_channels': 4,
        'model.neck.in_channels': [4, 8, 16, 32], 'train_dataloader.batch_size': 2,
        'optim_wrapper.accumulative_counts': 3, 'optim_wrapper.clip_grad.per_module': True,
        'custom_hooks': [{'type': 'EMAHook', 'momentum': 0.3},
                         {'type': 'auglocal_mm.AuxiliaryHeadHook'}],
        'param_scheduler': None, 'default_hooks.logger.interval': 1,
        'default_hooks.checkpoint.max_keep_ckpts': -1})
    scenes = {'train': 8, 'val': 2, 'side_px': 64, 'seed': 0}
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.dataset.data_root = str(folder / 'scenes') + '/'
        loader.dataset.scenes = scenes
        evaluator = cfg.get(f'{split}_evaluator')
        if evaluator:
            evaluator.ann_file = str(folder / 'scenes/annotations/instances_val.json')
    # Formatting the text of each checkpoint's config takes longer than training for it.
    cfg.__dict__['_format_python_code'] = False
    return cfg


def test_a_resumed_run_ends_as_an_uninterrupted_one(tmp_path):
    train(config(tmp_path / 'whole', tmp_path))
    log = next((tmp_path / 'whole').rglob('*.log')).read_text()
    assert 'Local losses:  layer1.2 ' in log and 'coco/segm_mAP' in log
    assert '17 units in 4 local modules' in log and 'detection@8' in log
    row = next((tmp_path / 'whole').rglob('scalars.json')).read_text()
    assert 'local/loss/layer3.3' in row and 'grad_norm' in row
    train(config(tmp_path / 'resumed', tmp_path), tmp_path / 'whole/epoch_1.pth')
    whole, resumed = (state(tmp_path / name / 'epoch_2.pth') for name in ('whole', 'resumed'))
    assert any(key.startswith('auxiliary.') for key in whole['state_dict'])
    assert 'ema_state_dict' in whole and not differing(whole, resumed)


@DETECTION_LOSSES.register_module(name='only_with_objects')
class OnlyWithObjects(DetectionLoss):
    """As users write them: without objects, the loss is a constant."""

    name = 'only_with_objects'

    def layers(self, site):
        return (TaskHead(self.name, site.stride),)

    def build_head(self, *, channels, stride, classes):
        return torch.nn.Conv2d(channels, 1, 1)

    def losses(self, head, predictions, batch):
        found = any(len(each) for each in batch.objects)
        return {'loss': predictions.mean() if found else predictions.new_zeros(())}


def rank_without_objects(rank):
    local = dict(LOCAL, local_loss='only_with_objects')
    model = LocalDistributedDataParallel(build(detector_cfg('Faster R-CNN'), **local))
    data = images(seed=rank, masks=False)
    if rank == 1:
        for sample in data['data_samples']:
            sample.gt_instances = sample.gt_instances[:0]
    return step(model, data)


def test_a_rank_whose_local_loss_has_no_graph_still_takes_part():
    first, second = run_ranks(rank_without_objects)
    assert first.keys() == second.keys()
    assert any(name.startswith('auxiliary.') for name in first)
    for name in first:
        assert torch.equal(first[name], second[name]), name


def test_a_loss_that_is_not_finite_stops_before_any_weight_changes():
    model = build(detector_cfg(), **LOCAL)
    with torch.no_grad():
        model.auxiliary['layer1_1'].head.conv.bias.fill_(float('nan'))
    before = {name: value.clone() for name, value in model.named_parameters()}
    wrapper = AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), 0.1))
    with DefaultScope.overwrite_default_scope('mmdet'), pytest.raises(
            NonFiniteError, match='local module'):
        model.train_step(images(), wrapper)
    for name, value in model.named_parameters():
        assert torch.allclose(value, before[name], rtol=0, atol=0, equal_nan=True), name
