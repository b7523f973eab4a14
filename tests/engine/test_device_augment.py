"""Crops and flips move from the pipeline to the device, and the run stays what it was."""
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from digit_runs import config, differing, state, train
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from mmpretrain.models import ClsDataPreprocessor
from mmpretrain.registry import TRANSFORMS
from torch import nn

from auglocal_mm import DeviceAugmentHook
from auglocal_mm.datasets.crop_and_flip import CropAndFlip
from auglocal_mm.engine.hooks import device_augment_hook
from auglocal_mm.engine.hooks.device_augment_hook import BatchAugmentation, augmentation_of

HOOK = {'default_hooks.device_augment': {'type': 'auglocal_mm.DeviceAugmentHook'}}
CROP = {'type': 'RandomCrop', 'crop_size': 32, 'padding': 4}
FLIP = {'type': 'RandomFlip', 'prob': 0.5, 'direction': 'horizontal'}
PACK = {'type': 'PackInputs'}
OWN = {**CROP, 'type': 'auglocal_mm.PaddedRandomCrop', 'padding': [1, 2]}


def built(*transforms):
    return [TRANSFORMS.build(dict(each)) for each in transforms]


def batch(count=4, side=32):
    images = np.random.default_rng(0).integers(0, 256, (count, 3, side, side), dtype=np.uint8)
    return {'inputs': list(torch.from_numpy(images))}


@pytest.mark.parametrize('stacked', [False, True], ids=['listed', 'stacked'])
@pytest.mark.parametrize('to_rgb', [False, True], ids=['rgb', 'bgr'])
def test_what_is_normalised_is_what_was_cropped(stacked, to_rgb):
    """With nothing to draw, the result is the one without the hook, bit for bit."""
    settings = {'mean': [100.0, 110.0, 120.0], 'std': [60.0, 61.0, 62.0], 'to_rgb': to_rgb,
                'pad_size_divisor': 5}
    data = batch()
    if stacked:
        data['inputs'] = torch.stack(data['inputs'])
    expected = ClsDataPreprocessor(**settings)(dict(data), True)['inputs']
    preprocessor = ClsDataPreprocessor(**settings)
    preprocessor.register_forward_pre_hook(
        BatchAugmentation(augmentation_of(built({**CROP, 'padding': 0}, PACK))), with_kwargs=True)
    for call in (lambda: preprocessor(dict(data), True),
                 lambda: preprocessor(dict(data), training=True),
                 lambda: preprocessor(data=dict(data), training=True)):
        assert torch.equal(call()['inputs'], expected)


def test_only_training_is_augmented():
    preprocessor = ClsDataPreprocessor()
    preprocessor.register_forward_pre_hook(
        BatchAugmentation(augmentation_of(built({**FLIP, 'prob': 1.0}, PACK))), with_kwargs=True)
    images = torch.stack(batch()['inputs']).float()
    assert torch.equal(preprocessor(batch(), True)['inputs'], images.flip(3))
    assert torch.equal(preprocessor(batch())['inputs'], images)
    assert torch.equal(preprocessor(batch(), False)['inputs'], images)


def test_a_batch_follows_from_one_seed_and_the_rank(monkeypatch):
    augment, preprocessor = BatchAugmentation(augmentation_of(built(CROP, FLIP, PACK))), (
        ClsDataPreprocessor())

    def images(rank):
        monkeypatch.setattr(device_augment_hook, 'get_rank', lambda: rank)
        torch.manual_seed(0)
        return augment(preprocessor, (batch(), True), {})[0][0]['inputs']

    assert torch.equal(images(0), images(0))
    assert not torch.equal(images(0), images(1))


def test_a_run_moves_its_transforms_and_resumes_exactly(tmp_path, monkeypatch):
    sizes = []

    def apply(augment, images, draws):
        sizes.append(len(images))
        return whole(augment, images, draws)

    whole = CropAndFlip.apply
    monkeypatch.setattr(CropAndFlip, 'apply', apply)
    runner = train(config(tmp_path / 'whole', 'midway', epochs=1, **HOOK))
    transforms = runner.train_dataloader.dataset.pipeline.transforms
    assert [type(each).__name__ for each in transforms] == ['RandomCrop', 'PackInputs']
    assert not runner.model.data_preprocessor._forward_pre_hooks
    expected = state(tmp_path / 'whole' / 'iter_5.pth')
    train(config(tmp_path / 'resumed', 'midway', epochs=1, **HOOK),
          tmp_path / 'whole' / 'iter_3.pth')
    assert not differing(expected, state(tmp_path / 'resumed' / 'iter_5.pth'))
    assert sizes == [4] * (5 + 2)


class Images(BaseDataset):
    def load_data_list(self):
        return [{'img': np.zeros((32, 32, 3), dtype=np.uint8), 'gt_label': 0}] * 3


def runner_of(dataset, preprocessor=None):
    model = nn.Module()
    model.data_preprocessor = preprocessor or ClsDataPreprocessor()
    return SimpleNamespace(model=model, train_dataloader=SimpleNamespace(dataset=dataset))


def images(*transforms):
    return Images(pipeline=built(*transforms), serialize_data=False)


@pytest.mark.parametrize(('crop', 'border', 'padding'), [
    ({**CROP, 'padding_mode': 'reflect'}, 'constant', (4, 4, 4, 4)),
    ({**OWN, 'padding_mode': 'reflect'}, 'reflect', (1, 2, 1, 2)),
    ({**OWN, 'padding': [1, 2, 3, 4], 'pad_val': [5, 6, 7]}, 'constant', (1, 2, 3, 4)),
], ids=["the host's", 'ours', 'each side'])
def test_the_border_is_that_of_the_transform(crop, border, padding):
    found = augmentation_of(built(crop, FLIP, PACK))
    assert (found.border, found.padding, found.size) == (border, padding, (32, 32))
    assert found.fill == tuple(crop.get('pad_val', (0,)))
    assert found.flips == (('horizontal', 0.5),)


@pytest.mark.parametrize('wrapper', [ConcatDataset, RepeatDataset])
def test_wrapped_data_sets_are_reached(wrapper):
    parts = [images(CROP, PACK), images(CROP, PACK)]
    runner = runner_of(ConcatDataset(parts) if wrapper is ConcatDataset else wrapper(parts[0], 2))
    hook = DeviceAugmentHook()
    hook.before_train(runner)
    left = 2 if wrapper is RepeatDataset else 1
    assert [len(part.pipeline.transforms) for part in parts] == [1, left]
    hook.after_train(runner)
    assert [len(part.pipeline.transforms) for part in parts] == [2, 2]


@pytest.mark.parametrize(('transforms', 'message'), [
    ((PACK,), 'ends in RandomCrop, RandomFlip'),
    ((FLIP, CROP, PACK), 'got RandomFlip, RandomCrop, PackInputs'),
    ((CROP, {'type': 'GaussianBlur', 'radius': 1, 'prob': 1.0}, PACK), 'got RandomCrop, Gaussian'),
    (({**CROP, 'pad_if_needed': True}, PACK), 'pad_if_needed=True; give padding'),
    (({**CROP, 'pad_val': 128}, PACK), 'pad_val=128, which .* one for each channel'),
], ids=['nothing random', 'other order', 'other transform', 'pad if needed', 'one pad value'])
def test_a_pipeline_that_cannot_be_moved_is_refused(transforms, message):
    with pytest.raises(ValueError, match=message):
        DeviceAugmentHook().before_train(runner_of(images(*transforms)))


def test_different_pipelines_and_other_models_are_refused():
    with pytest.raises(ValueError, match='got 2 different ones'):
        DeviceAugmentHook().before_train(runner_of(
            ConcatDataset([images(CROP, PACK), images(FLIP, PACK)])))
    with pytest.raises(TypeError, match='needs a model with a ClsDataPreprocessor, got Identity'):
        DeviceAugmentHook().before_train(runner_of(images(CROP, PACK), nn.Identity()))


def test_images_of_several_sizes_are_refused():
    augment = BatchAugmentation(augmentation_of(built(CROP, PACK)))
    data = {'inputs': [*batch()['inputs'], *batch(side=40)['inputs']]}
    with pytest.raises(ValueError, match='images of one size'):
        augment(ClsDataPreprocessor(), (data, True), {})
