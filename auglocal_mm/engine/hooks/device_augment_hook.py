"""Crops and flips whole batches on the device that trains, instead of images in the loader."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmcv.transforms import RandomFlip as HostFlip
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpretrain.datasets.transforms import PackInputs, RandomCrop
from mmpretrain.models import ClsDataPreprocessor
from torch import Tensor

from auglocal_mm.datasets import PaddedRandomCrop
from auglocal_mm.datasets.crop_and_flip import CropAndFlip
from auglocal_mm.registry import HOOKS

#: Crops that can be moved, by exact class, because a subclass may do more.
CROPS = (RandomCrop, PaddedRandomCrop)


@HOOKS.register_module()
class DeviceAugmentHook(Hook):
    """Takes random crops and flips out of the training pipeline, and does them batch by batch.

    For images that are as good as loaded, such as CIFAR's, most of a loader's time goes into
    two small transforms of each image. This hook moves ``RandomCrop`` (or ``PaddedRandomCrop``)
    and ``RandomFlip`` to the model's data preprocessor, right before it normalises. The crops
    and flips are equal in distribution to those of the pipeline, but not the same. Any
    classification config, or ``--cfg-options``, can ask for it::

        default_hooks = dict(device_augment=dict(type='auglocal_mm.DeviceAugmentHook'))

    The random numbers of a batch follow from one number of the main process and from the rank.
    So a run resumes exactly, and ranks differ, with any number of workers.

    Call order: ``before_train`` moves the transforms; ``after_train`` puts them back.

    Raises:
        TypeError: The model is no classifier of mmpretrain.
        ValueError: The pipeline does not end in ``RandomCrop``, ``RandomFlip`` or both, and
            ``PackInputs``; or one of them has a setting that depends on the single image.
    """

    def __init__(self) -> None:
        self._moved: list[tuple[Any, list[Any]]] = []
        self._handle: Any = None

    def before_train(self, runner: Runner) -> None:
        """Move the transforms to the data preprocessor."""
        bare = runner.model.module if is_model_wrapper(runner.model) else runner.model
        preprocessor = getattr(bare, 'data_preprocessor', None)
        if not isinstance(preprocessor, ClsDataPreprocessor):
            raise TypeError(f'DeviceAugmentHook needs a model with a ClsDataPreprocessor, got '
                            f'{type(preprocessor).__name__}; leave the hook out')
        pipelines = list(_pipelines(runner.train_dataloader.dataset))
        found = {augmentation_of(pipeline.transforms) for pipeline in pipelines}
        if len(found) != 1:
            raise ValueError(f'DeviceAugmentHook needs one pipeline for all training images, got '
                             f'{len(found)} different ones; leave the hook out')
        for pipeline in pipelines:
            self._moved.append((pipeline, pipeline.transforms))
            pipeline.transforms = [each for each in pipeline.transforms
                                   if type(each) not in (*CROPS, HostFlip)]
        self._handle = preprocessor.register_forward_pre_hook(
            BatchAugmentation(found.pop()), with_kwargs=True)

    def after_train(self, runner: Runner) -> None:
        """Put the transforms back where they were."""
        for pipeline, transforms in self._moved:
            pipeline.transforms = transforms
        self._moved = []
        self._handle.remove()


class BatchAugmentation:
    """Augments the images that a data preprocessor is about to normalise, in training.

    Args:
        augmentation: What to do with them.
    """

    def __init__(self, augmentation: CropAndFlip) -> None:
        self.augmentation = augmentation

    def __call__(self, preprocessor: Any, args: tuple[Any, ...],
                 kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Return the preprocessor's arguments with augmented images [B, C, H, W]."""
        training = kwargs['training'] if 'training' in kwargs else len(args) > 1 and args[1]
        if not training:
            return None
        data = args[0] if args else kwargs.pop('data')
        images = _stacked(data['inputs']).to(preprocessor.device)
        count, _, height, width = images.shape
        draws = self.augmentation.draw(count, height, width, _generator())
        data = {**data, 'inputs': self.augmentation.apply(images, draws)}
        return (data, *args[1:]), kwargs


def augmentation_of(transforms: list[Any]) -> CropAndFlip:
    """Return what the last transforms of a pipeline do, in one.

    Raises:
        ValueError: See :class:`DeviceAugmentHook`.
    """
    names = ', '.join(type(each).__name__ for each in transforms)
    kinds = [type(each) for each in transforms]
    random = [kind for kind in kinds if kind in (*CROPS, HostFlip)]
    possible = [[HostFlip], *([crop] for crop in CROPS), *([crop, HostFlip] for crop in CROPS)]
    if random not in possible or kinds[-len(random) - 1:] != [*random, PackInputs]:
        raise ValueError('DeviceAugmentHook needs a training pipeline that ends in RandomCrop, '
                         f'RandomFlip (or one of them) and PackInputs, got {names}; leave the '
                         'hook out')
    settings: dict[str, Any] = {}
    for transform in transforms[-len(random) - 1:-1]:
        settings |= (_crop if isinstance(transform, RandomCrop) else _flip)(transform)
    return CropAndFlip(**settings)


def _crop(transform: Any) -> dict[str, Any]:
    if transform.pad_if_needed:
        raise ValueError('DeviceAugmentHook pads all images alike, but RandomCrop has '
                         'pad_if_needed=True; give padding instead')
    honours_mode = isinstance(transform, PaddedRandomCrop)
    padding = (transform.border if honours_mode else transform.padding) or 0
    fill = transform.pad_val
    if isinstance(fill, (int, float)) and fill:
        # OpenCV pads the first channel with a single number, and the others with 0.
        raise ValueError(f'RandomCrop has pad_val={fill}, which would pad one channel; '
                         'DeviceAugmentHook needs 0, or a sequence with one for each channel')
    pads = (padding,) if isinstance(padding, int) else tuple(padding)
    return {'size': tuple(transform.crop_size),
            # Of 1, 2 or 4 numbers: all sides; left and right, top and bottom; each side.
            'padding': (pads * 4)[:4],
            # mmpretrain's own transform pads by a constant, whatever its mode.
            'border': transform.padding_mode if honours_mode else 'constant',
            'fill': (0,) if isinstance(fill, (int, float)) else tuple(fill)}


def _flip(transform: HostFlip) -> dict[str, Any]:
    directions = ([transform.direction] if isinstance(transform.direction, str)
                  else transform.direction)
    shares = transform.prob if isinstance(transform.prob, list) else (
        [transform.prob / len(directions)] * len(directions))
    return {'flips': tuple(zip(directions, shares, strict=True))}


def _pipelines(dataset: Any) -> Iterator[Any]:
    """Yield the pipeline of every data set inside any nesting of wrappers."""
    inner = getattr(dataset, 'datasets', None) or (
        [dataset.dataset] if hasattr(dataset, 'dataset') else None)
    if inner is None:
        yield dataset.pipeline
    else:
        for each in inner:
            yield from _pipelines(each)


def _stacked(inputs: Any) -> Tensor:
    """Return a batch as one tensor, whichever way the loader collated it."""
    if isinstance(inputs, Tensor):
        return inputs
    shapes = sorted({tuple(image.shape) for image in inputs})
    if len(shapes) > 1:
        raise ValueError(f'DeviceAugmentHook needs images of one size, got {shapes[0]} and '
                         f'{shapes[1]} in a batch; resize them in the pipeline')
    return torch.stack(tuple(inputs))


def _generator() -> np.random.Generator:
    """Return a generator for one batch."""
    # Ranks may share their seed, as mmengine's do by default. Their images differ.
    return np.random.default_rng([int(torch.randint(2**62, ())), get_rank()])
