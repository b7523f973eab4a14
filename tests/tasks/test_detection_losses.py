"""Targets of local detection losses against loops over pixels; what says nothing is not learned."""
import math

import pytest
import torch
import torch.nn.functional as F
from detectors import CLASSES, build, detector_cfg, images
from mmengine.registry import DefaultScope
from small import auglocal
from torch import nn

from auglocal_mm.plan import (
    Block,
    Classifier,
    Conv,
    GlobalPooling,
    HalvingPooling,
    TaskHead,
    UnitSpec,
    dense_layers,
)
from auglocal_mm.registry import DETECTION_LOSSES
from auglocal_mm.tasks.detection import (
    DenseDetection,
    DenseSegmentation,
    DetectionBatch,
    DetectionLoss,
    MapReconstruction,
)

MEAN, STD = (100.0, 110.0, 120.0), (50.0, 60.0, 70.0)


@pytest.fixture(autouse=True)
def _scope():
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


def batch(crowds=True, masks=True, seed=3):
    data = images(masks=masks, crowds=crowds, seed=seed)
    inputs = torch.zeros(2, 3, 64, 64)
    for padded, image in zip(inputs, data['inputs'], strict=True):
        height, width = image.shape[1:]
        pixels = (image - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
        padded[:, :height, :width] = pixels
    return DetectionBatch(inputs, data['data_samples'], CLASSES, MEAN, STD)


def inside(box, x, y):
    return box[0] <= x < box[2] and box[1] <= y < box[3]


def no_background(one, image, x, y):
    """Padding, or in a crowd."""
    height, width = one.data_samples[image].img_shape
    crowds = one.data_samples[image].ignored_instances.bboxes.tolist()
    return x >= width or y >= height or any(inside(box, x, y) for box in crowds)


def is_background(loss, one, image, x, y, stride=8):
    """Whether no object would be learned there."""
    instances = one.data_samples[image].gt_instances
    if loss.name == 'segmentation':
        return not any(bits[int(y), int(x)] for bits in instances.masks.masks
                       if int(y) < bits.shape[0] and int(x) < bits.shape[1])
    for x1, y1, x2, y2 in instances.bboxes.tolist():
        cx, cy, radius = (x1 + x2) / 2, (y1 + y2) / 2, 1.5 * stride
        if (max(x1, cx - radius) < x < min(x2, cx + radius)
                and max(y1, cy - radius) < y < min(y2, cy + radius)):
            return False
    return True


@pytest.mark.parametrize('side', [8, 13])
@pytest.mark.parametrize('source', ['masks', 'boxes'])
def test_the_class_of_a_position_is_that_of_the_smallest_object_there(source, side):
    one = batch()
    target = DenseSegmentation(source=source).target(one, side, side)
    seen = set()
    for image, sample in enumerate(one.data_samples):
        instances, ordered = sample.gt_instances, []
        for index, (box, label) in enumerate(zip(instances.bboxes.tolist(),
                                                 instances.labels.tolist(), strict=True)):
            ordered.append(((box[2] - box[0]) * (box[3] - box[1]), index, box, label))
        for row in range(side):
            for column in range(side):
                x, y = (column + 0.5) * 64 / side, (row + 0.5) * 64 / side
                expected = CLASSES
                for _, index, box, label in sorted(ordered):
                    bits = instances.masks.masks[index]
                    there = inside(box, x, y) if source == 'boxes' else (
                        int(y) < bits.shape[0] and int(x) < bits.shape[1]
                        and bits[int(y), int(x)])
                    if there:
                        expected = label
                        break
                if expected == CLASSES and no_background(one, image, x, y):
                    expected = -1
                assert target[image, row, column] == expected
                seen.add(expected)
    assert {-1, CLASSES} < seen, 'the example has padding, background and objects'


def test_without_masks_boxes_take_their_place():
    one = batch(masks=False)
    ours = DenseSegmentation().target(one, 8, 8)
    assert torch.equal(ours, DenseSegmentation(source='boxes').target(one, 8, 8))


@pytest.mark.parametrize('loss', [DenseDetection(), DenseSegmentation(), MapReconstruction()],
                         ids=lambda loss: loss.name)
def test_positions_that_say_nothing_are_not_learned(loss):
    one = batch()
    torch.manual_seed(0)
    head = loss.build_head(channels=6, stride=8, classes=CLASSES)
    features = torch.randn(2, 6, 8, 8)
    predictions = head(features)
    scores = predictions[0] if isinstance(predictions, tuple) else predictions
    scores.retain_grad()
    sum(loss.losses(head, predictions, one).values()).backward()
    side, learned = scores.shape[-1], 0
    for image in range(2):
        for row in range(side):
            for column in range(side):
                x, y = (column + 0.5) * 64 / side, (row + 0.5) * 64 / side
                width = one.data_samples[image].img_shape[1]
                quiet = x >= width if loss.name == 'reconstruction' else (
                    no_background(one, image, x, y) and is_background(loss, one, image, x, y))
                moved = bool(scores.grad[image, :, row, column].any())
                assert moved is not quiet, (image, row, column)
                learned += moved
    assert 0 < learned < 2 * side * side


def test_in_a_crowd_the_box_of_an_object_is_no_background():
    """As in COCO: one person is drawn in a crowd of people; the others must not be unlearned."""
    one = batch()
    for sample in one.data_samples:
        sample.ignored_instances.bboxes = torch.tensor([[0.0, 0.0, 64.0, 64.0]])
    target = DenseSegmentation(source='masks').target(one, 16, 16)
    assert not (target == CLASSES).any() and (target >= 0).any()
    loss = DenseDetection()
    head = loss.build_head(channels=6, stride=8, classes=CLASSES)
    predictions = [each.detach().requires_grad_() for each in head(torch.randn(2, 6, 8, 8))]
    loss.losses(head, predictions, one)['loss_cls'].backward()
    learned = predictions[0].grad.flatten(1).any(1), predictions[0].grad.any(1)
    for image in range(2):
        for row in range(8):
            for column in range(8):
                there = is_background(loss, one, image, 8 * column + 4, 8 * row + 4)
                assert bool(learned[1][image, row, column]) is not there


def test_a_batch_of_crowds_alone_has_a_finite_loss():
    one = batch()
    for sample in one.data_samples:
        sample.gt_instances = sample.gt_instances[:0]
        sample.ignored_instances.bboxes = torch.tensor([[0.0, 0.0, 64.0, 64.0]])
    for loss in (DenseDetection(), DenseSegmentation()):
        head = loss.build_head(channels=6, stride=8, classes=CLASSES)
        losses = loss.losses(head, head(torch.randn(2, 6, 8, 8)), one)
        total = sum(losses.values())
        assert total.isfinite()
        total.backward()
        assert all(parameter.grad is None or not parameter.grad.any()
                   for parameter in head.parameters())


@pytest.mark.parametrize('detail', [1, 2, 4])
def test_reconstruction_is_the_cross_entropy_of_patches(detail):
    one = batch()
    loss = MapReconstruction(detail=detail)
    head = loss.build_head(channels=5, stride=4, classes=CLASSES)
    features = torch.randn(2, 5, 16, 16)
    logits = F.conv2d(features, head.conv.weight, head.conv.bias)
    total, count, side = 0.0, 0, 64 // (16 * detail)
    for image, sample in enumerate(one.data_samples):
        pixels = (one.images[image] * torch.tensor(STD)[:, None, None]
                  + torch.tensor(MEAN)[:, None, None]) / 255
        for row in range(16 * detail):
            for column in range(16 * detail):
                if (column + 0.5) * side >= sample.img_shape[1]:
                    continue
                for channel in range(3):
                    patch = pixels[channel, row * side:(row + 1) * side,
                                   column * side:(column + 1) * side].mean().item()
                    place = (channel * detail + row % detail) * detail + column % detail
                    p = torch.sigmoid(logits[image, place, row // detail, column // detail]).item()
                    total -= patch * math.log(p) + (1 - patch) * math.log(1 - p)
                    count += 1
    ours = loss.losses(head, head(features), one)['loss_reconstruction']
    assert ours.item() == pytest.approx(total / count, rel=1e-4)


def test_labels_that_no_head_has_are_refused():
    one = batch()
    one.data_samples[0].gt_instances.labels[0] = CLASSES
    with pytest.raises(ValueError, match=f'labels must be 0 … {CLASSES - 1}, as the heads have'):
        _ = one.objects


def test_class_agnostic_detection_sees_one_class():
    loss = DenseDetection(class_agnostic=True, convs=1)
    head = loss.build_head(channels=8, stride=8, classes=CLASSES)
    assert head.dense.num_classes == 1 and len(head.dense.cls_convs) == 1
    losses = loss.losses(head, head(torch.randn(2, 8, 8, 8)), batch())
    assert set(losses) == {'loss_cls', 'loss_bbox', 'loss_centerness'}


def test_image_level_scores_name_the_classes_that_are_there():
    one = batch()
    for row, sample in zip(one.scores, one.data_samples, strict=True):
        assert set(row.nonzero().flatten().tolist()) == set(sample.gt_instances.labels.tolist())


UNITS = {'a': UnitSpec('a', 512, 1), 'b': UnitSpec('b', 1008, 1, granularity=48, symbol='G'),
         'c': UnitSpec('c', 96, 1, granularity=96, symbol='N'),
         'd': UnitSpec('d', 192, 2, granularity=192, symbol='N'),
         'e': UnitSpec('e', 384, 2, granularity=384, symbol='N')}


@pytest.mark.parametrize(('stride', 'strides', 'end'), [
    (2, (2, 2, 1), 8), (4, (2, 1, 1), 8), (8, (1, 1, 1), 8), (32, (1, 1, 1), 32)])
def test_dense_networks_halve_until_8_pixels_and_never_after(stride, strides, end):
    layers = (HalvingPooling(), Block('a', 512, 2), Block('b', 1008, 1), Conv(64, 3, 2),
              GlobalPooling(), Classifier())
    dense, pixels = dense_layers(layers, UNITS, stride=stride)
    assert tuple(layer.stride for layer in dense) == strides and pixels == end
    assert [layer.channels for layer in dense] == [256, 240, 64], 'by granularity below 256'


def test_a_width_below_the_granularity_is_the_granularity():
    (block,), _ = dense_layers([Block('b', 1008, symbol='G')], UNITS, stride=8, max_channels=16)
    assert block.channels == 48


def test_a_block_of_one_width_only_gives_way_to_the_widest_that_fits():
    (block,), _ = dense_layers([Block('e', 384, symbol='N')], UNITS, stride=8)
    assert block == Block('d', 192, symbol='N')


@DETECTION_LOSSES.register_module(name='objectness')
class Objectness(DetectionLoss):
    """How a user would write one: a file, a name, three functions."""

    name = 'objectness'

    def layers(self, site):
        return (Conv(8), TaskHead(self.name, site.stride))

    def build_head(self, *, channels, stride, classes):
        return nn.Conv2d(channels, 1, 1)

    def losses(self, head, predictions, batch):
        objects = batch.covered([each.bboxes for each in batch.objects], *predictions.shape[-2:])
        return {'loss_objectness': F.binary_cross_entropy_with_logits(
            predictions[:, 0], objects.float())}


def test_a_loss_of_ones_own_trains():
    model = build(detector_cfg(), local=auglocal(3, modules='stages'),
                  local_loss=['objectness', dict(type='detection', weight=(1, 0.5))])
    drawn = [str(loss.auxiliary) for loss in model.plan.losses]
    assert drawn[0] == '8C3-objectness@4' and drawn[1].endswith('-detection@8')
    assert [loss.auxiliary.weight for loss in model.plan.losses] == [1, 1, 1, 0.75, 1, 0.5]
    assert [loss.key for loss in model.plan.losses][:2] == ['layer1_1', 'layer1_1__detection']
    data = model.data_preprocessor(images(), True)
    losses = model(**data, mode='loss')
    model.parse_losses(losses)[0].backward()
    assert model.backbone.conv1.weight.grad.any()
