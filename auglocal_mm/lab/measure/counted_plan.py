"""A local plan with its costs, as a readable table."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmpretrain.models import ImageClassifier

from auglocal_mm.engine.launch import load_config
from auglocal_mm.lab.pages.text_table import plain_table
from auglocal_mm.plan import LocalPlan, UnitRow

from .complexity import Complexity, Kind, PartCount, complexity
from .config_model import build_model, image_shape, require_local
from .module_table import ModuleTable, module_table

HEADER = ('unit', 'module', 'channels', 'stride', 'auxiliary network', 'strides',
          'params', 'aux. params', 'MFLOPs', 'aux. MFLOPs', '% of all')
NUMBERS = (1, 2, 3, 6, 7, 8, 9, 10)


@dataclass(frozen=True)
class CountedPlan:
    """A plan and the counts of the model built from it.

    Attributes:
        plan: Which auxiliary network trains which unit.
        counts: The cost of each of them.
        classes: Number of classes.
        modules: What its modules cost in training.
    """
    plan: LocalPlan
    counts: Complexity
    classes: int
    modules: ModuleTable

    def to_dict(self) -> dict[str, Any]:
        """Return the plan's dict, with ``flops`` and ``params`` per unit and network."""
        data = self.plan.to_dict()
        for layer in data['layers']:
            self._add_costs(layer, 'layer', layer['name'])
            self._add_costs(layer['auxiliary'], 'auxiliary', layer['name'])
        return dict(data, totals=self.counts.to_dict(), module_costs=self.modules.to_list())

    def _add_costs(self, entry: dict[str, Any], kind: Kind, name: str) -> None:
        part = self.counts.find(kind, name)
        if part is not None:
            entry.update(flops=part.flops, params=part.params)

    def __str__(self) -> str:
        noun = 'module' if self.plan.modules == 1 else 'modules'
        sides = '×'.join(map(str, self.counts.input_shape))
        rows = [self._row(layer) for layer in self.plan.layers]
        return '\n'.join([
            f'{self.plan.units} units in {self.plan.modules} local {noun}',
            f"FLOPs are multiply-adds of one {sides} image, fvcore's count; % of all FLOPs", '',
            plain_table([*rows, self._head_row()], header=HEADER, right=NUMBERS), '',
            self._totals(), '', str(self.modules)])

    def _row(self, layer: UnitRow) -> tuple[str, ...]:
        unit = self.counts.find('layer', layer.name)
        network = self.counts.find('auxiliary', layer.name)
        strides = layer.auxiliary.strides if layer.auxiliary else ()
        return (layer.name, str(layer.module), str(layer.channels), str(layer.stride),
                self.plan.describe_auxiliary(layer, classes=self.classes),
                ' '.join(map(str, strides)), *self._costs(unit, network))

    def _head_row(self) -> tuple[str, ...]:
        head = self.counts.find('head', 'head')
        return ('neck, head', str(self.plan.modules - 1), *[''] * 4, *self._costs(head, None))

    def _costs(self, *parts: PartCount | None) -> tuple[str, ...]:
        """Return cells: parameters of both parts, their multiply-adds, and their share."""
        flops = sum(part.flops for part in parts if part)
        return (*(f'{part.params:,}' if part else '' for part in parts),
                *(_mega(part.flops) if part else '' for part in parts),
                f'{100 * flops / self.counts.flops:.2f}')

    def _totals(self) -> str:
        """Return a table that compares this rule with back-propagation."""
        counts = self.counts
        rows = [(name, _mega(flops), f'{flops / counts.backbone_flops:.3f}',
                 f'{params:,}', f'{params / counts.backbone_params:.3f}')
                for name, flops, params in (
                    ('BP: backbone, neck, head', counts.backbone_flops, counts.backbone_params),
                    ('auxiliary networks', counts.auxiliary_flops, counts.auxiliary_params),
                    ('this rule: both', counts.flops, counts.params))]
        header = ('total', 'MFLOPs', 'of BP', 'params', 'of BP')
        return plain_table(rows, header=header, right=(1, 2, 3, 4))


def _mega(flops: int) -> str:
    return f'{flops / 1e6:,.2f}'


@dataclass(frozen=True)
class DetectorPlan:
    """A detector's plan with what its modules cost.

    What its heads cost in inference depends on the regions that it proposes, so there is no
    count of that.

    Attributes:
        plan: Which auxiliary network trains which unit.
        modules: What its modules cost in training.
    """
    plan: LocalPlan
    modules: ModuleTable

    def to_dict(self) -> dict[str, Any]:
        """Return the plan's dict, with ``module_costs``."""
        return dict(self.plan.to_dict(), module_costs=self.modules.to_list())

    def __str__(self) -> str:
        return f'{self.plan}\n\n{self.modules}'


def counted_plan_of_config(path: str, cfg_options: dict | None = None,
                           shape: Sequence[int] | None = None) -> CountedPlan | DetectorPlan:
    """Build a config's model and count the cost of its plan, without touching a data set.

    Args:
        path: The config.
        cfg_options: Settings that override it.
        shape: Height and width of the image in pixels, or one number for both; ``None``
            takes a classifier's from the config's data pipelines, and a detector's usual one.

    Raises:
        FileNotFoundError: There is no such config.
        ValueError: The model is not trained locally, or an image of this shape does
            not pass through it.
    """
    cfg = load_config(path, cfg_options=cfg_options)
    require_local(cfg, path)
    size = image_shape(cfg, shape)
    model = build_model(cfg, path)
    if not isinstance(model, ImageClassifier):
        return DetectorPlan(model.plan, module_table(model, size if shape else None))
    return CountedPlan(model.plan, complexity(model, size), model.num_classes,
                       module_table(model, size))
