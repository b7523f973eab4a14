"""Rows measured together: Table 2 with its rivals, ways to cut a network, a detector's."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .entry import Entry, PaperCost


@dataclass(frozen=True)
class PresetRow:
    """A row of a preset.

    Attributes:
        config: Name of a config that comes with the package, or ``package::name``.
        options: Settings that override it.
        paper: What the paper reports for it.
        rival: See :class:`.entry.Entry`.
    """
    config: str
    options: Mapping[str, Any] = field(default_factory=dict)
    paper: PaperCost | None = None
    rival: str | None = None


def _resnet110(folder: str, paper: PaperCost | None = None,
               options: Mapping[str, Any] | None = None, *, rival: str | None = None) -> PresetRow:
    return PresetRow(f'auglocal_mm::{folder}/resnet110_cifar10.py', options or {}, paper, rival)


_D2 = {'model.local.depth': 2}
_STEP, _RECOMPUTE = {'optim_wrapper.step_per_module': True}, {'model.recompute': True}
#: The paper's rows, then the other ways to save memory, by BP and by AugLocal with d = 2.
TABLE2 = {
    'bp': _resnet110('bp', PaperCost(9.27, 0.0, 0.25)),
    'checkpoint': _resnet110('bp', PaperCost(3.03, 34.1, 0.25), {'model.backbone.with_cp': True}),
    'predsim': _resnet110('predsim', PaperCost(1.54, 65.9, 0.25)),
    'dgl': _resnet110('dgl', PaperCost(1.61, 76.2, 0.26)),
    'infopro': _resnet110('infopro', PaperCost(3.98, 292.3, 0.34)),
    **{f'auglocal-d{depth}': _resnet110('auglocal', paper, {'model.local.depth': depth})
       for depth, paper in (
           (2, PaperCost(1.71, 87.2, 0.63)), (3, PaperCost(1.62, 115.9, 0.69)),
           (4, PaperCost(1.70, 135.6, 0.80)), (5, PaperCost(1.71, 180.8, 0.98)),
           (6, PaperCost(1.72, 214.6, 1.13)))},
    'bp-selective': _resnet110('bp', rival='bp-selective'),
    'bp-accumulate': _resnet110('bp', None, {'optim_wrapper.accumulative_counts': 4},
                                rival='bp-accumulate'),
    'bp-step': _resnet110('bp', rival='bp-step'),
    'auglocal-d2-step': _resnet110('auglocal', None, _D2 | _STEP),
    'auglocal-d2-recompute': _resnet110('auglocal', None, _D2 | _RECOMPUTE),
    'auglocal-d2-both': _resnet110('auglocal', None, _D2 | _STEP | _RECOMPUTE),
    **{f'auglocal-k{modules}': _resnet110('auglocal', None, _D2 | {
        'model.local.modules': modules, 'model.local.balance': 'memory'}) for modules in (2, 4)},
}
#: Row of Table 2 -> its name in pictures.
LABELS = {
    'bp': 'BP', 'checkpoint': 'BP, checkpointing', 'bp-selective': 'BP, selective checkpointing',
    'bp-accumulate': 'BP, 4 micro-batches', 'bp-step': 'BP, step in backward',
    'predsim': 'PredSim', 'dgl': 'DGL', 'infopro': 'InfoPro',
    **{f'auglocal-d{depth}': f'AugLocal, d = {depth}' for depth in range(2, 7)},
    'auglocal-d2-step': 'AugLocal, d = 2, step',
    'auglocal-d2-recompute': 'AugLocal, d = 2, recompute',
    'auglocal-d2-both': 'AugLocal, d = 2, both',
    'auglocal-k2': 'AugLocal, d = 2, K = 2', 'auglocal-k4': 'AugLocal, d = 2, K = 4',
}


_LAYOUT = {'default_hooks.channels_last.type': 'auglocal_mm.ChannelsLastHook',
           'optim_wrapper.optimizer.fused': True}
_REUSE = {'default_hooks.reuse_memory.type': 'auglocal_mm.ReuseMemoryHook'}
_HALF = {'optim_wrapper.dtype': 'bfloat16'}


def _faster() -> dict[str, PresetRow]:
    """Return the rows of AugLocal and BP with each line that makes a step faster added."""
    lines = {'': {}, '-layout': _LAYOUT, '-reuse': _LAYOUT | _REUSE,
             '-bfloat16': _LAYOUT | _REUSE | _HALF}
    return {f'{name}{added}': _resnet110(folder, None, options | line)
            for name, folder, options in (('auglocal-d2', 'auglocal', _D2), ('bp', 'bp', {}))
            for added, line in lines.items()}


def _cuts(network: str) -> dict[str, PresetRow]:
    """Return the rows of a network on ImageNet that is cut into few modules.

    Its auxiliary networks have one block, like the unit that follows. Blocks like the last unit
    would be as wide on large maps.
    """
    def ours(modules: int, balance: str) -> PresetRow:
        return PresetRow(f'auglocal_mm::auglocal/{network}_imagenet.py', {
            'model.local.depth': 2, 'model.local.selection': 'sequential',
            'model.local.modules': modules, 'model.local.balance': balance})

    plain = f'auglocal_mm::bp/{network}_imagenet.py'
    return {
        'bp': PresetRow(plain),
        'checkpoint': PresetRow(plain, {'model.backbone.with_cp': True}),
        **{f'k{modules}': ours(modules, 'units') for modules in (2, 3, 4)},
        **{f'k{modules}-memory': ours(modules, 'memory') for modules in (2, 3, 4)},
    }


def _cuts_of_host(config: str) -> dict[str, PresetRow]:
    """Return the rows of a transformer of mmpretrain's that is cut into few modules.

    Its configs mix images and labels, which takes no memory and no time worth measuring.
    """
    def ours(modules: int, balance: str) -> PresetRow:
        return PresetRow(config, {
            'model.train_cfg': None, 'model.type': 'auglocal_mm.LocalImageClassifier',
            'model.local.type': 'auglocal_mm.AugLocal', 'model.local.depth': 2,
            'model.local.selection': 'sequential', 'model.local.modules': modules,
            'model.local.balance': balance,
            'optim_wrapper.type': 'auglocal_mm.AugLocalOptimWrapper',
            'optim_wrapper.clip_grad': None})

    return {
        'bp': PresetRow(config, {'model.train_cfg': None}),
        **{f'k{modules}{name}': ours(modules, balance)
           for name, balance in (('', 'units'), ('-memory', 'memory')) for modules in (2, 3, 4)},
    }


def _mask_rcnn(plain: str, local: str, *, frozen: Sequence[str],
               unfrozen: Sequence[str]) -> dict[str, PresetRow]:
    """Return the rows of a Mask R-CNN.

    Args:
        plain: The config trained by back-propagation.
        local: The config trained in 4 local modules.
        frozen: Where 4 modules end that keep about equally much if a stage is frozen.
        unfrozen: The same if nothing is frozen.
    """
    def ours(**options: Any) -> PresetRow:
        settings = {'local.balance': 'units', **options}
        return PresetRow(local, {f'model.{key}': value for key, value in settings.items()})

    losses = ('detection', 'segmentation', 'image_level', 'reconstruction')
    return {
        'bp': PresetRow(plain),
        'checkpoint': PresetRow(plain, {'model.backbone.with_cp': True}),
        **{f'k{modules}': ours(**{'local.modules': modules}) for modules in (2, 3, 4)},
        **{f'k{modules}-memory': ours(**{'local.modules': modules, 'local.balance': 'memory'})
           for modules in (2, 3, 4)},
        **{f'k4-{loss}': ours(local_loss=loss) for loss in losses},
        'k4-recompute-last': ours(recompute=['last']),
        'k4-recompute-auxiliary': ours(recompute=['auxiliary']),
        'k4-recompute-last-auxiliary': ours(recompute=['last', 'auxiliary']),
        'k4-recompute-all': ours(recompute=True),
        'k4-even-memory': ours(**{'local.modules': list(frozen)}),
        'k4-even-memory-unfrozen': ours(**{'local.modules': list(unfrozen)}),
    }


#: Preset -> its rows by name; the first is what ratios are to.
PRESETS: dict[str, dict[str, PresetRow]] = {
    'table2': TABLE2,
    'cuts-r34': _cuts('resnet34'),
    'cuts-r101': _cuts('resnet101'),
    'cuts-swin': _cuts_of_host('mmpretrain::swin_transformer/swin-tiny_16xb64_in1k.py'),
    'cuts-vit': _cuts_of_host('mmpretrain::deit/deit-small_4xb256_in1k.py'),
    'faster': _faster(),
    'mask-rcnn': _mask_rcnn(
        'mmdet::mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py',
        'auglocal_mm::mask_rcnn/mask-rcnn_r50-local-k4_fpn_1x_coco.py',
        frozen=('layer2.1', 'layer3.0', 'layer3.5'),
        unfrozen=('layer1.1', 'layer2.1', 'layer3.1')),
    'mask-rcnn-r34': _mask_rcnn(
        'auglocal_mm::mask_rcnn/mask-rcnn_r34_auglocal_fpn_adamw_1x_coco.py',
        'auglocal_mm::mask_rcnn/mask-rcnn_r34-local-k4_fpn_adamw_1x_coco.py',
        frozen=('layer2.3', 'layer3.5', 'layer4.1'),
        unfrozen=('stem', 'layer1.2', 'layer3.1')),
}


def preset_entries(preset: str, only: Sequence[str] | None = None) -> tuple[Entry, ...]:
    """Return the rows of a preset, in its order.

    Args:
        preset: A key of :data:`PRESETS`.
        only: Names of the wanted rows; ``None`` for all.

    Raises:
        ValueError: A name is not a row, or there is no name.
    """
    rows = PRESETS[preset]
    unknown = sorted(set(only or ()) - set(rows))
    if unknown or (only is not None and not only):
        raise ValueError(f'--only must name rows of {preset}, got {", ".join(unknown) or "none"}; '
                         f'there are {", ".join(rows)}')
    return tuple(Entry(name, row.config, dict(row.options), row.paper, row.rival)
                 for name, row in rows.items() if only is None or name in only)
