"""Builds a model from the config inside a checkpoint, whoever wrote it.

A config names classes, and mmengine imports whatever is named: ``type='os.system'`` would
run a command. So every ``type`` is looked up among the classes that are registered
already, at any depth and in every spelling, before anything is imported or built. Some
registered classes read other files or evaluate text when they are built; they are
refused, too. A config that the user names is trusted and needs none of this.
"""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import mmengine.registry
from mmengine.config import ConfigDict
from mmengine.registry import MODELS, DefaultScope, Registry
from torch import nn

from auglocal_mm.config.walk import dicts_in

from .errors import CheckpointError

#: Registries whose members a model is made of, by their names in ``mmengine.registry``.
OF_MODELS = ('MODELS', 'TASK_UTILS', 'WEIGHT_INITIALIZERS')
#: Modules with classes that open files, fetch models or evaluate text in their constructors.
FAR_REACHING = (
    'mmdet.models.detectors.kd_one_stage', 'mmdet.models.detectors.lad',
    'mmdet.models.language_models', 'mmdet.models.mot', 'mmdet.models.task_modules.tracking',
    'mmdet.models.trackers', 'mmdet.models.dense_heads.atss_vlfusion_head',
    'mmpretrain.models.backbones.timm_backbone', 'mmpretrain.models.classifiers.hugging_face',
    'mmpretrain.models.classifiers.timm', 'mmpretrain.models.heads.vqa_head',
    'mmpretrain.models.multimodal', 'mmpretrain.models.selfsup.beit',
    'mmpretrain.models.selfsup.cae', 'mmpretrain.models.selfsup.milan',
    'mmpretrain.models.utils.huggingface', 'mmpretrain.models.utils.vector_quantizer',
)
FIX = ('If you trust the file, give --config with a config of your own, whose custom_imports '
       'import its components')
#: Values of ``type`` that no registry sees: kinds of suppression, and of mmdet's FPG layers.
UNREGISTERED = frozenset({'nms', 'soft_nms', 'nms_match', 'conv', 'interpolation_conv',
                          'last_conv'})

#: Keys whose values name classes.
NAMING = ('type', 'detector')


def build_untrusted(model: Mapping[str, Any], *, scope: str, source: object) -> nn.Module:
    """Build a model from a config that came out of a checkpoint.

    Args:
        model: The config, read as data.
        scope: The ``default_scope`` that came with it.
        source: The checkpoint, for messages.

    Raises:
        CheckpointError: It names something that is not registered or reaches beyond the
            model, or the classes refuse its settings.
    """
    classes = RegisteredClasses(scope, repr(model))
    for place, fault in classes.faults(model, 'model'):
        raise CheckpointError(f'the model of {source} cannot be built here ({place}={fault}). '
                              f'{FIX}')
    try:
        with DefaultScope.overwrite_default_scope(scope):
            return MODELS.build(ConfigDict(model))
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise CheckpointError(f'the model of {source} cannot be built here ({reason}). '
                              f'{FIX}') from error


class RegisteredClasses:
    """What is registered at this moment, by every name that a config may use for it.

    Args:
        scope: The scope of names without one.
        text: The config as text. mmdet is imported only if it is mentioned.
    """

    def __init__(self, scope: str, text: str) -> None:
        for package in ('mmpretrain', 'mmdet', 'auglocal_mm'):
            if package != 'mmdet' or scope == 'mmdet' or 'mmdet' in text:
                import_module(f'{package}.models')
        import_module('auglocal_mm.rules')
        self.scope = scope
        self.scopes: set[str] = set()
        self._by_name: dict[str, Any] = {}
        from auglocal_mm.registry import DETECTION_LOSSES, LOCAL_LOSSES, LOCAL_RULES
        roots = [getattr(mmengine.registry, name) for name in OF_MODELS]
        augments = import_module('mmpretrain.registry').BATCH_AUGMENTS
        for registry in [*roots, augments, LOCAL_RULES, LOCAL_LOSSES, DETECTION_LOSSES]:
            for each in _with_children(registry):
                self._add(each)
        self._add_operators()

    def _add(self, registry: Registry) -> None:
        self.scopes.add(registry.scope)
        for name, member in registry.module_dict.items():
            path = f'{member.__module__}.{getattr(member, "__qualname__", "")}'
            for spelling in (name, f'{registry.scope}.{name}', path):
                self._by_name.setdefault(spelling, member)

    def _add_operators(self) -> None:
        """Add mmcv's layers, which mmdet's extractors of regions look up by attribute."""
        operators = import_module('mmcv.ops')
        for name, member in vars(operators).items():
            if isinstance(member, type) and issubclass(member, nn.Module):
                self._by_name.setdefault(name, member)

    def faults(self, node: Any, place: str) -> Iterator[tuple[str, str]]:
        """Yield the dotted key of everything that must not be built, and why."""
        if place == 'model' and self.scope not in self.scopes:
            yield 'default_scope', f'{self.scope!r}, which is no scope of installed components'
        for key, part in dicts_in(node, place):
            if '_scope_' in part and part['_scope_'] not in self.scopes:
                yield f'{key}._scope_', f'{part["_scope_"]!r}, which is no known scope'
            for name in NAMING:
                # A LocalDetector's `detector` is a type, or the whole config of one.
                if name in part and not (name != 'type' and isinstance(part[name], Mapping)):
                    fault = self._fault(part[name])
                    if fault:
                        yield f'{key}.{name}', f'{part[name]!r}{fault}'

    def _fault(self, kind: Any) -> str | None:
        if isinstance(kind, str) and kind in UNREGISTERED:
            return None
        found = self._by_name.get(kind) if isinstance(kind, str) else None
        if found is None:
            return ', which is not the name of a registered component'
        if not isinstance(found, type) or f'{found.__module__}.'.startswith(
                tuple(f'{module}.' for module in FAR_REACHING)):
            return ', which reads files or runs text of its own when it is built'
        return None


def _with_children(registry: Registry) -> Iterator[Registry]:
    yield registry
    for child in registry.children.values():
        yield from _with_children(child)

