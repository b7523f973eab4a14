"""Trains and tests with the channels-last memory format."""
from __future__ import annotations

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from auglocal_mm.models.global_pooling import keep_layout_in_pooling
from auglocal_mm.registry import HOOKS

#: Fewest input channels of a strided 1x1 convolution whose backward pass is safe on a CPU.
#: Below the width of a vector register, 8 floats with AVX2 and 16 with AVX-512, oneDNN
#: writes past its workspace (uxlfoundation/oneDNN issue 6035; torch 2.11 to 2.14).
SAFE_CHANNELS = 16


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Stores the model's convolution weights channels last.

    A convolution with such a weight returns channels-last features, whatever its
    input, so images need no conversion. Global average poolings are replaced by ones whose
    gradients have the features' layout, so it lasts from end to end, for local learning and
    back-propagation alike. Values, keys and shapes of checkpoints stay; results differ by
    rounding. Often faster on CPUs, and on GPUs with float16 or bfloat16: measure. Any config,
    or ``--cfg-options``, can ask for it::

        default_hooks = dict(channels_last=dict(type='auglocal_mm.ChannelsLastHook'))

    Call order: ``before_run`` converts, after the weights are initialised and before a
    checkpoint is loaded into them. mmengine calls it in training and in tests.

    A model that flattens its feature maps by ``view`` stops with torch's advice to use
    ``reshape``.

    Raises:
        TypeError: The model is wrapped in torch's DistributedDataParallel, which has
            laid out its gradient buckets by then.
        ValueError: A convolution of the model would corrupt memory, see `SAFE_CHANNELS`, or
            the model is a detector or another one with operators of mmcv, which read
            channels-last features as if they were in the usual order: wrong values, no error.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Check the model and convert its weights in place."""
        model = runner.model
        if isinstance(model, DistributedDataParallel):
            raise TypeError(
                f'ChannelsLastHook cannot convert a {type(model).__name__}: its gradient buckets '
                "have the old layout. Use model_wrapper_cfg=dict(type='auglocal_mm."
                "LocalDistributedDataParallel') or leave the hook out")
        bare = model.module if is_model_wrapper(model) else model
        operators = [name for name, module in bare.named_modules() if _is_of_mmcv(module)]
        if operators:
            raise ValueError(
                f'{", ".join(operators[:3])}: operators of mmcv misread channels-last features, so '
                f'a model must have none of them, got {len(operators)}. Leave ChannelsLastHook out')
        unsafe = [name for name, module in bare.named_modules() if _is_unsafe(module)]
        if unsafe:
            raise ValueError(
                f'{", ".join(unsafe[:3])} would corrupt memory: on a CPU and channels last, a '
                f'strided 1x1 convolution must have at least {SAFE_CHANNELS} input channels a '
                f'group ({len(unsafe)} have fewer). Leave ChannelsLastHook out, or widen the '
                'network')
        bare.to(memory_format=torch.channels_last)
        keep_layout_in_pooling(bare)


def _is_of_mmcv(module: nn.Module) -> bool:
    # By name: an mmcv without operators has nothing to import.
    return type(module).__module__.split('.')[:2] == ['mmcv', 'ops']


def _is_unsafe(module: nn.Module) -> bool:
    return (isinstance(module, nn.Conv2d)
            and module.weight.device.type == 'cpu'
            # torch computes float64 without oneDNN.
            and module.weight.dtype != torch.float64
            and tuple(module.kernel_size) == (1, 1)
            and max(module.stride) > 1
            and module.in_channels // module.groups < SAFE_CHANNELS)
