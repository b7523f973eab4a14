"""What a subject measures: saved activations of Table 2's rows, an unchanged model."""
import re

import pytest
import torch
from small import CLASSES, KeepGradients, batch, classifier, in_float64

from auglocal_mm import AugLocalOptimWrapper
from auglocal_mm.lab.measure.benchmark import Entry, Settings, preset_entries
from auglocal_mm.lab.measure.benchmark.subject import (
    TrainingSubject,
    forget_peak_resident,
    resident_mb,
)
from auglocal_mm.lab.measure.memory import BYTES_PER_MIB, saved_activations_mb

CHECKPOINTING = {'type': 'auglocal_mm.ResNetCIFAR', 'depth': 20, 'stem_channels': 4,
                 'base_channels': 4, 'with_cp': True}
BACKPROP = {'type': 'auglocal_mm.Backprop'}


@pytest.fixture(scope='module')
def saved():
    """Saved activations in MiB of ResNet-110 at batch 16, by row."""
    def measure(entry):
        subject = TrainingSubject(entry, Settings(batch_size=16))
        return saved_activations_mb(subject.whole_step, exclude=subject._model)
    return {entry.name: measure(entry)
            for entry in preset_entries('table2', ['bp', 'checkpoint', 'auglocal-d2'])}


def test_auglocal_saves_what_the_paper_claims(saved):
    assert saved['auglocal-d2'] / saved['bp'] <= 0.08


def test_checkpointing_keeps_the_inputs_of_blocks_and_recomputes_one(saved):
    # Inputs of 19 blocks of 16 channels (the second stage's first is one), of 18 of 32
    # channels and of 17 of 64; the image and the stem's convolution.
    kept = 19 * 1 + 18 * 0.5 + 17 * 0.25 + 3 / 16 + 1
    # The backward pass recomputes the last block first: both convolutions' outputs and
    # the activation between them. The rest is statistics of norms, some kilobytes.
    recomputed = 3 * 0.25
    assert saved['checkpoint'] == pytest.approx(kept + recomputed, abs=0.01)


def test_checkpointing_gives_the_gradients_of_back_propagation():
    def measure(**settings):
        model = in_float64(classifier(BACKPROP, **settings)).train()
        optimizer = KeepGradients(model)
        data = batch(dtype=torch.float64)
        memory = saved_activations_mb(
            lambda: model.train_step(data, AugLocalOptimWrapper(optimizer)), exclude=model)
        assert optimizer.seen[0].keys() == dict(model.named_parameters()).keys()
        return optimizer.seen[0], memory

    (plain, memory), (recomputed, less) = measure(), measure(backbone=CHECKPOINTING)
    assert all(torch.equal(plain[name], recomputed[name]) for name in plain)
    assert less < 0.5 * memory


@pytest.fixture
def entry(root):
    return Entry('small', str(root / 'configs/auglocal/resnet32_cifar10.py'), {
        'model.backbone.depth': 20, 'model.backbone.base_channels': 4,
        'model.backbone.stem_channels': 4, 'model.head.in_channels': 16,
        'model.head.num_classes': CLASSES, 'model.local.depth': 2})


def test_steps_train_but_leave_the_weights(entry, monkeypatch):
    subject = TrainingSubject(entry, Settings(batch_size=3, shape=[16, 24]))
    before = {name: value.clone() for name, value in subject._model.named_parameters()}
    steps = []
    optimizer = subject._optim_wrapper.optimizer
    step = optimizer.step
    monkeypatch.setattr(optimizer, 'step', lambda: (steps.append({
        name: value.grad.clone() for name, value in subject._model.named_parameters()}), step()))
    assert all(subject.step() > 0 for _ in range(2))
    assert len(steps) == len(subject._cpu_seconds) == 2 and steps[0].keys() == before.keys()
    # The same work each time: weights, images and labels are the same.
    assert all(torch.equal(steps[0][name], steps[1][name]) for name in before)
    assert any(gradient.any() for gradient in steps[0].values())
    assert all(torch.equal(value, before[name])
               for name, value in subject._model.named_parameters())
    measured = subject.measure()
    assert (measured['batch_size'], measured['image']) == (3, [3, 16, 24])
    assert measured['precision'] == 'float32' and measured['device'] == 'cpu'
    assert measured['step_cpu_seconds'] > 0
    assert measured['params'] == sum(value.numel() for value in before.values())
    assert measured['saved_activations_mb'] > 3 * 3 * 16 * 24 * 4 / BYTES_PER_MIB


def test_sizes_are_the_configs_own(entry):
    subject = TrainingSubject(entry, Settings())
    assert subject._batch['inputs'].shape == (1024, 3, 32, 32)
    assert subject._batch['inputs'].dtype == torch.uint8
    labels = {int(sample.gt_label) for sample in subject._batch['data_samples']}
    assert labels == set(range(CLASSES))


def test_mixed_precision(entry):
    subject = TrainingSubject(entry, Settings(batch_size=2, amp=True))
    subject.step()
    assert subject.measure()['precision'] == 'bfloat16'


def test_the_configs_layout_is_measured(root):
    entry = Entry('small', str(root / 'configs/auglocal/resnet32_cifar10.py'), {
        'model.backbone.depth': 20, 'model.local.depth': 2,
        'default_hooks.channels_last.type': 'auglocal_mm.ChannelsLastHook'})
    weight = TrainingSubject(entry, Settings(batch_size=2))._model.backbone.conv1.weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_a_batch_that_cannot_be_trained_is_refused(entry):
    with pytest.raises(ValueError, match=re.escape('BatchNorm1d')):
        TrainingSubject(entry, Settings(batch_size=1))


def test_the_peak_of_resident_memory_can_be_forgotten():
    peak = resident_mb('VmHWM')
    large = torch.ones(200, BYTES_PER_MIB, dtype=torch.uint8)
    assert resident_mb('VmHWM') >= max(peak, resident_mb('VmRSS') - 1, 200)
    before = resident_mb('VmHWM')
    del large
    forget_peak_resident()
    assert resident_mb('VmHWM') <= before
    with pytest.raises(OSError, match='no VmFoo'):
        resident_mb('VmFoo')
