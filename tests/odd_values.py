"""Values that no setting expects, and all places of ours where a config can put one."""
from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st

from auglocal_mm import rules
from auglocal_mm.datasets import SVHN, Digits, ImageFolder
from auglocal_mm.engine import AugLocalOptimWrapper, AuxiliaryHeadHook
from auglocal_mm.engine.warmup_cosine import WarmupCosineLR
from auglocal_mm.models import backbones
from auglocal_mm.validation import settings_of


class Odd:
    """An object that cannot be compared or hashed."""

    def __repr__(self) -> str:
        return 'odd\nobject'

    def __eq__(self, other: object) -> bool:
        raise RuntimeError('no comparison')

    __hash__ = None  # type: ignore[assignment]


SINGLE = [
    None, True, False, 0, 1, 2, 3, -1, 31, 33, 100, 101, 2**31, 10**18, 10**400, -10**400,
    0.0, -0.0, 0.5, 1.0, 1.5, -1.5, 1e30, 1e308, -1e308, 1e-320, math.nan, math.inf, -math.inf,
    '', ' ', 'x', '1', 'nan', 'None', 'uniform', 'dynamic', 'softmax', 'same', 'float16', 'train',
    'a\nb', '\x1b[31m', 'x' * 5000, '\0', '/', '/proc/x', '..', 'os.system', b'x', 1j,
    Fraction(1, 2), np.float32(1.0), np.float64(math.nan), np.int64(2), np.bool_(True),
    np.str_('x'), np.array([1, 2]), np.array([]), np.array(None), np.arange(3.0), torch.tensor(1.0),
    torch.float16, Path('x'), range(3), set(), frozenset({1}), object(), Odd(), Odd, int, print,
    slice(1), Ellipsis, NotImplemented]
#: Values that a setting might hold, from which larger odd ones are made.
odd = st.recursive(
    st.sampled_from(range(len(SINGLE))).map(SINGLE.__getitem__),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(inner, min_size=2, max_size=3).map(tuple),
        st.dictionaries(st.sampled_from(['type', 'a', 'max_norm', 'norm_type', 'clip_value',
                                         'init_scale', 'growth_factor', 'w0', 'depth', 'train']),
                        inner, max_size=3)),
    max_leaves=4)

RULES = {'AugLocal': {'depth': 2}, 'Backprop': {}, 'DGL': {}, 'InfoPro': {}, 'PredSim': {}}
BACKBONES = {
    'ResNetCIFAR': ({'depth': 20, 'stem_channels': 4, 'base_channels': 4}, 16),
    'MobileNetV2CIFAR': ({'widen_factor': 0.1}, 1280), 'EfficientNetCIFAR': ({}, 1280),
    'RegNetCIFAR': ({}, 384)}


def places() -> list[tuple[str, dict[str, Any], str]]:
    """Each place: the component's key, changes of the config that put it there, and a key of it."""
    found: list[tuple[str, dict[str, Any], str]] = []

    def add(where: str, kind: Any, component: dict[str, Any], **more: Any) -> None:
        for key in [*settings_of(kind), 'type', 'unknown', 'dept']:
            if key not in ('optimizer', 'split_folder'):
                found.append((where, {where: component, **more}, key))

    for name, settings in RULES.items():
        add('model.local', getattr(rules, name), {'type': f'auglocal_mm.{name}', **settings})
    for name, (settings, width) in BACKBONES.items():
        add('model.backbone', getattr(backbones, name),
            {'type': f'auglocal_mm.{name}', **settings}, **{'model.head.in_channels': width})
    add('optim_wrapper', AugLocalOptimWrapper, {
        'type': 'auglocal_mm.AugLocalOptimWrapper', 'optimizer': {'type': 'SGD', 'lr': 0.01}})
    add('optim_wrapper', AugLocalOptimWrapper, {
        'type': 'auglocal_mm.AugLocalOptimWrapper', 'dtype': 'float16',
        'optimizer': {'type': 'SGD', 'lr': 0.01}})
    add('param_scheduler.0', WarmupCosineLR, {
        'type': 'auglocal_mm.WarmupCosineLR', 'epochs': 2, 'warmup_epochs': 1})
    for hook in (AuxiliaryHeadHook,):
        add('custom_hooks.0', hook, {'type': f'auglocal_mm.{hook.__name__}'})
    for name in ('ChannelsLastHook', 'DeviceAugmentHook', 'RandomStateHook', 'ReuseMemoryHook',
                 'VerifyPretrainedHook'):
        add('custom_hooks.0', lambda: None, {'type': f'auglocal_mm.{name}'},
            **{'model.backbone.stem_channels': 16, 'model.backbone.base_channels': 16,
               'model.head.in_channels': 64} if name == 'ChannelsLastHook' else {})
    pipeline = {'pipeline': [{'type': 'PackInputs'}]}
    add('train_dataloader.dataset', Digits, {
        'type': 'auglocal_mm.Digits', 'indices': 6, **pipeline})
    add('train_dataloader.dataset', ImageFolder, {
        'type': 'auglocal_mm.ImageFolder', 'data_root': 'images', **pipeline},
        **{'model.head.num_classes': 2})
    add('train_dataloader.dataset', SVHN, {
        'type': 'auglocal_mm.SVHN', 'data_root': 'svhn', 'download': False, **pipeline})
    add('train_dataloader.worker_init_fn', lambda: None, {'type': 'auglocal_mm.seed_worker'})
    return found
