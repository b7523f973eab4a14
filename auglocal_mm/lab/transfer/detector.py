"""The detector that is trained on every backbone, checked before anything is started."""
from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config, DictAction
from mmengine.model import PretrainedInit
from mmengine.registry import LOOPS, MODELS, WEIGHT_INITIALIZERS, DefaultScope
from mmengine.runner import IterBasedTrainLoop
from torch import nn

from auglocal_mm.checkpoints.complete import require_complete, strip
from auglocal_mm.config.named import means
from auglocal_mm.config.parts import parts_of, place_of_parts, with_preprocessor
from auglocal_mm.config.walk import datasets_in, dicts_in
from auglocal_mm.console.host_chatter import import_hosts
from auglocal_mm.engine.options import load_config
from auglocal_mm.models.detector_fit import OTHER_CLASSES
from auglocal_mm.validation import shown

from .backbones import PREFIX, Backbone

FREEZE = 'default_hooks.frozen_backbone.type=auglocal_mm.FrozenBackboneHook'
#: Keys of a config that this tool sets for each run.
_OWN = re.compile(r'(randomness\.seed|work_dir|resume)$|model\.(detector\.)?backbone\.init_cfg')


@dataclass(frozen=True)
class Detector:
    """A detector's config as every run sees it, but for its backbone's weights and its seed.

    Attributes:
        name: The config as the user gave it.
        options: ``--cfg-options`` of every run.
        cfg: The config with these options.
        place: Dotted key of its backbone.
        frozen: Whether the backbone stays as it is.
    """

    name: str
    options: tuple[str, ...]
    cfg: Config
    place: str
    frozen: bool = False

    @property
    def backbone(self) -> Mapping[str, Any]:
        """The config of its backbone."""
        part = self.cfg
        for key in self.place.split('.'):
            part = part[key]
        return part

    def start_from(self, backbone: Backbone) -> list[str]:
        """Return the options that make a run start from an exported backbone."""
        init = f'{self.place}.init_cfg'
        # What the config starts from: a dict, a list of them or None, which no key would fit.
        before = [f'{init}._delete_=True'] if 'init_cfg' in self.backbone else []
        other = [f'{self.place}.pretrained=None'] if 'pretrained' in self.backbone else []
        return [*before, f'{init}.type=Pretrained', f'{init}.prefix={PREFIX}',
                f'{init}.checkpoint={backbone.file}', *other]

    @property
    def epochs(self) -> int | None:
        """Length of a run; None if it counts iterations."""
        return None if self._by_iteration else int(self.cfg.train_cfg.max_epochs)

    @property
    def last_checkpoint(self) -> str:
        """Name of the file that a complete run has written."""
        hook = _checkpoint_hook(self.cfg)
        number = self.cfg.train_cfg.max_iters if self._by_iteration else self.epochs
        kind = 'epoch' if hook.get('by_epoch', True) else 'iter'
        return str(hook.get('filename_tmpl') or kind + '_{}.pth').format(number)

    @property
    def _by_iteration(self) -> bool:
        loop = self.cfg.train_cfg
        return means(loop.get('type'), IterBasedTrainLoop, LOOPS,
                     scope=self.cfg.get('default_scope')) or 'max_epochs' not in loop

    def build_backbone(self) -> nn.Module:
        """Build the backbone without its initial weights."""
        settings = {key: value for key, value in self.backbone.items()
                    if key not in ('init_cfg', 'pretrained')}
        with DefaultScope.overwrite_default_scope(self.cfg.get('default_scope')):
            return MODELS.build(settings)

    def require_fit(self, backbones: Sequence[Backbone]) -> None:
        """Check that the detector can be built, and that each file holds all of its backbone.

        Raises:
            CheckpointError: A file cannot be read, is no exported backbone, or that of another
                architecture.
            TypeError, ValueError: A setting of the detector is impossible.
        """
        with DefaultScope.overwrite_default_scope(self.cfg.get('default_scope')):
            MODELS.build(with_preprocessor(self.cfg))
        module = self.build_backbone()
        for backbone in backbones:
            require_complete(module, strip(backbone.weights(), PREFIX), str(backbone.file),
                             exactly=True, owner=f'the backbone of {self.name}')


def read_detector(name: str, options: Sequence[str], *, frozen: bool) -> Detector:
    """Read a detector's config and check what every run would need of it.

    Args:
        name: The config: a path, or ``package::name``.
        options: The user's ``--cfg-options``, as ``KEY=VALUE``.
        frozen: Whether the backbone is to stay as it is.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: It is no config of a detector, or something in it would replace the
            backbone's weights.
    """
    taken = [key for key, _, _ in (each.partition('=') for each in options) if _OWN.match(key)]
    if taken:
        raise ValueError(f'--cfg-options must leave {", ".join(taken)} to this tool, which sets '
                         'them for each run')
    import_hosts('mmdet.datasets', 'mmdet.models')
    every = (*options, *((FREEZE,) if frozen else ()))
    cfg = load_config(name, cfg_options=_parsed(every))
    detector = Detector(name, every, cfg, _place(cfg, name), frozen)
    _require_backbones_weights(detector)
    if frozen and 'local' in cfg.model:
        raise ValueError(f'--frozen needs a detector that is trained as a whole: {name} trains its '
                         'backbone locally, and a frozen one has nothing to learn')
    if _checkpoint_hook(cfg) is None:
        raise ValueError(f'{name} saves no checkpoint, so there would be nothing to compare; '
                         'default_hooks.checkpoint must not be None')
    return detector


def _checkpoint_hook(cfg: Config) -> Any:
    # mmengine adds its own to a config that does not mention it; None removes that.
    return (cfg.get('default_hooks') or {}).get('checkpoint', {})


def _parsed(options: Sequence[str]) -> dict[str, Any]:
    wrong = [each for each in options if not each.partition('=')[1]]
    if wrong:
        raise ValueError(f'--cfg-options must be KEY=VALUE, got {", ".join(map(repr, wrong))}')
    pairs = (option.split('=', 1) for option in options)
    # As mmengine's parser of --cfg-options reads them, which has no public function.
    return {key: DictAction._parse_iterable(text) for key, text in pairs}


def _place(cfg: Config, name: str) -> str:
    """Return the dotted key of the backbone.

    Raises:
        ValueError: The config is not that of a detector, or its detector has no backbone.
    """
    from mmdet.models.detectors.base import BaseDetector

    model = cfg.get('model') or {}
    # One that trains locally may hold the whole detector, or only name its class.
    inner = model.get('detector')
    kind = inner.get('type') if isinstance(inner, Mapping) else inner or model.get('type')
    if not means(kind, BaseDetector, MODELS, scope=cfg.get('default_scope')):
        raise ValueError(f'--detector must be the config of an mmdet detector, but the model of '
                         f'{name} is a {shown(model.get("type"))}')
    place = place_of_parts(model)
    if not (parts_of(model).get('backbone') or {}).get('type'):
        raise ValueError(f'the detector of {name} has no backbone of its own; give one with '
                         f'{place}.backbone')
    return f'{place}.backbone'


def _require_backbones_weights(detector: Detector) -> None:
    """Refuse what mmengine would load in place of the backbone's own weights."""
    cfg = detector.cfg
    if cfg.get('load_from') is not None:
        raise ValueError(f'load_from={cfg.load_from} would replace the weights of every backbone; '
                         'add --cfg-options load_from=None')
    for place, part in (('model', cfg.model), ('model.detector', cfg.model.get('detector'))):
        inits = part.get('init_cfg') if isinstance(part, Mapping) else None
        for init in inits if isinstance(inits, (list, tuple)) else [inits]:
            if isinstance(init, Mapping) and means(init.get('type'), PretrainedInit,
                                                   WEIGHT_INITIALIZERS,
                                                   scope=cfg.get('default_scope')):
                raise ValueError(f'{place}.init_cfg loads {init.get("checkpoint")} into the whole '
                                 'detector, in place of the weights of every backbone; remove it')


def require_classes(detector: Detector, classes: Sequence[str]) -> None:
    """Check that heads and training data have as many classes as the validation data.

    Raises:
        ValueError: They do not; the message names each place.
    """
    heads = [(place, count) for place, count in _class_counts(detector.cfg.model)
             if count != len(classes)]
    if heads:
        said = ', '.join(f'{place}={shown(count)}' for place, count in heads)
        raise ValueError(f'the heads of {detector.name} disagree with its data set, which has '
                         f'{len(classes)} classes: {said}; set them to {len(classes)}')
    loader = detector.cfg.get('train_dataloader') or {}
    for place, dataset in datasets_in(loader.get('dataset'), 'train_dataloader.dataset'):
        named = (dataset.get('metainfo') or {}).get('classes')
        if isinstance(named, (list, tuple)) and set(named) != set(classes):
            differ = sorted(set(named) ^ set(classes))
            raise ValueError(f'{place}.metainfo.classes disagree with those of the validation '
                             f'data: {", ".join(differ[:5])}; use the same for both')


def _class_counts(model: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield where a head says its number of classes, and the number."""
    for place, part in dicts_in(model, 'model'):
        name = next((key for key in reversed(place.split('.')) if not key.isdigit()), '')
        if not name.endswith('_head') or name in OTHER_CLASSES or part.get('class_agnostic'):
            continue
        # A panoptic head also knows stuff, which instances lack.
        if part.get('num_classes') is not None:
            yield f'{place}.num_classes', part['num_classes']
        elif part.get('num_things_classes') is not None and not part.get('num_stuff_classes'):
            yield f'{place}.num_things_classes', part['num_things_classes']
