"""Detectors in the benchmark: made batches, and a tiny Mask R-CNN measured for real."""
import copy

import pytest
import torch
from detectors import CLASSES, detector_cfg
from mmengine.config import Config
from small import auglocal

from auglocal_mm.lab.measure.benchmark import Entry, Settings
from auglocal_mm.lab.measure.benchmark.detectors import OBJECTS, object_boxes
from auglocal_mm.lab.measure.benchmark.model_kind import kind_of
from auglocal_mm.lab.measure.benchmark.subject import TrainingSubject
from auglocal_mm.lab.measure.memory import BYTES_PER_MIB

SGD = {'type': 'OptimWrapper', 'optimizer': {'type': 'SGD', 'lr': 0.1, 'momentum': 0.9}}


@pytest.fixture(scope='module')
def subjects(tmp_path_factory):
    """Plain and local Mask R-CNN: the same tiny config but for local learning."""
    def write(name, model, wrapper):
        path = tmp_path_factory.mktemp('configs') / f'{name}.py'
        Config(dict(
            default_scope='mmdet', model=model, optim_wrapper={**SGD, 'type': wrapper},
            train_dataloader=dict(batch_size=2, dataset=dict(type='CocoDataset')),
            test_dataloader=dict(dataset=dict(
                type='CocoDataset', pipeline=[dict(type='Resize', scale=(90, 60))])),
        )).dump(path)
        return TrainingSubject(Entry(name, str(path)), Settings())
    plain = detector_cfg(init_cfg=dict(type='Pretrained', checkpoint='no such file'))
    local = {**copy.deepcopy(plain), 'type': 'auglocal_mm.LocalDetector', 'detector': 'MaskRCNN',
             'local': auglocal(3, modules='stages')}
    return {'bp': write('bp', plain, 'OptimWrapper'),
            'local': write('local', local, 'auglocal_mm.AugLocalOptimWrapper')}


@pytest.fixture(scope='module')
def measured(subjects):
    for subject in subjects.values():
        subject.step()
    return {name: subject.measure() for name, subject in subjects.items()}


def test_what_is_measured(measured, subjects):
    bp, local = measured['bp'], measured['local']
    for each in (bp, local):
        # The size of the test pipeline, with the preprocessor's padding; the config's own batch.
        assert (each['batch_size'], each['image']) == (2, [3, 64, 96])
        assert each['flops'] is each['backbone_flops'] is None
        assert each['step_cpu_seconds'] > 0
        images = 2 * 3 * 64 * 96 * 4 / BYTES_PER_MIB
        # Gradients count in live memory, and all that is saved.
        assert each['live_peak_mb'] > each['made_peak_mb'] > each['saved_activations_mb'] > images
    assert local['saved_activations_mb'] < bp['saved_activations_mb']
    assert bp['params'] == bp['backbone_params'] == local['backbone_params'] == sum(
        value.numel() for value in subjects['bp']._model.parameters())
    assert local['params'] == local['backbone_params'] + local['auxiliary_params'] > bp['params']


def test_both_begin_with_the_same_weights_so_regions_are_the_same(subjects):
    plain, local = (subjects[name]._model.state_dict() for name in ('bp', 'local'))
    assert all(torch.equal(value, local[name]) for name, value in plain.items())


def test_every_step_does_the_same_work(subjects, monkeypatch):
    subject = subjects['local']
    seen = []
    step = subject._optim_wrapper.optimizer.step
    before = {name: value.clone() for name, value in subject._model.named_parameters()}
    monkeypatch.setattr(subject._optim_wrapper.optimizer, 'step', lambda: (seen.append({
        name: value.grad.clone() for name, value in subject._model.named_parameters()
        if value.grad is not None}), step()))
    for _ in range(2):
        torch.rand(3)  # as whatever else draws random numbers
        subject.step()
    assert all(torch.equal(value, seen[1][name]) for name, value in seen[0].items())
    assert all(torch.equal(value, before[name])
               for name, value in subject._model.named_parameters())


def test_batches_hold_objects_with_masks(subjects):
    batch = subjects['bp']._batch
    assert [tuple(image.shape) for image in batch['inputs']] == [(3, 64, 96)] * 2
    first, second = (sample.gt_instances for sample in batch['data_samples'])
    assert len(first) == len(second) == OBJECTS
    assert not torch.equal(first.bboxes, second.bboxes)
    labels = torch.cat([first.labels, second.labels])
    assert labels.min() >= 0 and labels.max() < CLASSES
    for objects in (first, second):
        covered = objects.masks.areas / (objects.bboxes[:, 2:] - objects.bboxes[:, :2]).prod(1)
        large = objects.bboxes[:, 2] - objects.bboxes[:, 0] > 20
        # Ellipses fill π/4 of their boxes.
        assert covered[large].numpy() == pytest.approx(torch.pi / 4, abs=0.05)
        assert (covered <= 1).all()


def test_objects_are_small_medium_and_large_as_in_coco():
    boxes = torch.cat([object_boxes((800, 1344), torch.Generator().manual_seed(seed))
                       for seed in range(300)])
    assert boxes.min() >= 0
    assert (boxes[:, 2] <= 1344).all() and (boxes[:, 3] <= 800).all()
    sides = (boxes[:, 2:] - boxes[:, :2]).prod(1).sqrt()
    # COCO's bounds of 32 and 96 pixels are of images whose shorter side has 480.
    for part in (sides < 32 / 480 * 800, sides > 96 / 480 * 800):
        assert part.float().mean().item() == pytest.approx(1 / 3, abs=0.05)


def test_a_given_size_is_taken_as_it_is():
    cfg = Config(dict(default_scope='mmdet', model=detector_cfg()))
    assert kind_of(cfg, 'x').shape(cfg, [50, 70]) == (50, 70)
    with pytest.raises(ValueError, match='pass --shape'):
        kind_of(cfg, 'x').shape(cfg, None)
