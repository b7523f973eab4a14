"""AugLocal learns more than DGL, and DGL more than a frozen random network learns by its head.

Slow: `make test-slow ARGS=tests/test_learning.py`. On the embedded digits, shifted at random, a
ResNet-32 of 8 base channels, 5 epochs. docs/benchmarks.md holds the accuracies that were seen.
"""
from math import cos, pi
from statistics import mean

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import DefaultScope
from mmpretrain.structures import DataSample
from small import auglocal, classifier, in_float64

from auglocal_mm import AugLocalOptimWrapper, Digits

SEEDS = range(3)
EPOCHS, BATCH, RATE = 5, 64, 0.1
RULES = {'BP': {'type': 'auglocal_mm.Backprop'},
         **{f'K = {modules}': auglocal(2, modules=modules, balance='memory')
            for modules in (2, 4)},
         'AugLocal': auglocal(2), 'DGL': {'type': 'auglocal_mm.DGL'},
         'frozen': {'type': 'auglocal_mm.Backprop'}}


@pytest.fixture(scope='module')
def digits():
    def load(split):
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            samples = list(Digits(split=split, pipeline=[{'type': 'PackInputs'}]))
        images = torch.stack([sample['inputs'] for sample in samples]).float()
        labels = torch.tensor([int(sample['data_samples'].gt_label) for sample in samples])
        return (images - 78.0) / 82.6, labels
    return load('train'), load('test')


def shifted(images, generator, most=4):
    """Each image moved by up to `most` pixels, as the digits' training pipeline crops them."""
    padded = F.pad(images, (most,) * 4, value=float(images.min()))
    offsets = torch.randint(2 * most + 1, (len(images), 2), generator=generator).tolist()
    return torch.stack([image[:, y:y + 32, x:x + 32]
                        for image, (y, x) in zip(padded, offsets)])


def accuracy(rule, seed, digits):
    """Top-1 in percent on the test images after training by a rule."""
    (images, labels), (test_images, test_labels) = digits
    model = in_float64(classifier(
        RULES[rule], seed=seed,
        backbone={'type': 'auglocal_mm.ResNetCIFAR', 'depth': 32, 'stem_channels': 8,
                  'base_channels': 8},
        head={'type': 'LinearClsHead', 'num_classes': 10, 'in_channels': 32,
              'init_cfg': []})).float()
    model.init_weights()
    if rule == 'frozen':
        model.backbone.requires_grad_(False)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], RATE,
                                momentum=0.9, nesterov=True, weight_decay=1e-4)
    wrapper = AugLocalOptimWrapper(optimizer)
    order = torch.Generator().manual_seed(seed)
    batches = [batch for _ in range(EPOCHS) for batch in
               torch.randperm(len(labels), generator=order).split(BATCH) if len(batch) == BATCH]
    model.train()
    for step, batch in enumerate(batches):
        optimizer.param_groups[0]['lr'] = RATE / 2 * (1 + cos(pi * step / len(batches)))
        model.train_step({'inputs': shifted(images[batch], order), 'data_samples': [
            DataSample().set_gt_label(int(label)) for label in labels[batch]]}, wrapper)
    with torch.no_grad():
        predicted = model.eval()(test_images).argmax(dim=1)
    return 100 * (predicted == test_labels).double().mean().item()


@pytest.mark.slow
def test_auglocal_beats_dgl_which_beats_a_frozen_network(digits):
    seen = {rule: [accuracy(rule, seed, digits) for seed in SEEDS] for rule in RULES}
    print({rule: [round(value, 1) for value in values] for rule, values in seen.items()})
    for better, worse in (('AugLocal', 'DGL'), ('DGL', 'frozen')):
        assert all(a > b for a, b in zip(seen[better], seen[worse])), seen
    assert mean(seen['AugLocal']) > mean(seen['DGL']) + 3, seen
    assert mean(seen['DGL']) > mean(seen['frozen']) + 40, seen
