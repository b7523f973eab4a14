"""A survey as Markdown."""
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from auglocal_mm.lab.pages.text_table import markdown_table

from .comparison import differences
from .local_table import local_markdown

_STAGES = {'build': 'builds', 'train': 'trains', 'predict': 'predicts'}
_IN_USE = {'compiled': "mmcv's compiled operators", 'none': 'no operators',
           'torchvision': "torchvision's operators, through auglocal_mm"}


def markdown(found: Mapping[str, Any], compared: Mapping[str, Any] | None = None) -> str:
    """Return a survey's table, with what it was measured on above and causes below it.

    Args:
        found: A survey.
        compared: Another one, whose losses and gradients make one more column.
    """
    if found.get('training') == 'local':
        return local_markdown(found, heading='\n'.join(_heading(found, None)))
    by_name = differences(found, compared) if compared else {}
    lines = [*_heading(found, compared), '', _table(found['families'], by_name, bool(compared))]
    causes = [line for row in found['families'] for line in _causes(row)]
    if causes:
        lines += ['', 'Failures:', '', *causes]
    return '\n'.join(lines)


def line(row: Mapping[str, Any]) -> str:
    """Return one line about a family: that it passes, or the causes."""
    failed = [f'{stage}: {cause}' for stage, cause in row['causes'].items() if cause]
    return f'{row["name"]}: {"; ".join(failed) or "passes"}'


def _heading(found: Mapping[str, Any], compared: Mapping[str, Any] | None) -> list[str]:
    versions = ', '.join(f'{name} {number}' for name, number in found['versions'].items())
    machine = found['hardware']
    rows = found['families']
    counts = ', '.join(f'{sum(_passes(row, stage) for row in rows)} {word}'
                       for stage, word in _STAGES.items())
    lines = [f'In use: {_IN_USE[found["operators"]]}. {versions}. {machine["cpu"]}, one thread a '
             f'family. Of {len(rows)} families: {counts}.']
    if compared:
        lines[0] += f' Compared with: {_IN_USE[compared["operators"]]}.'
    return lines


def _table(rows: Sequence[Mapping[str, Any]], by_name: Mapping[str, float], compared: bool
           ) -> str:
    columns = ['family', 'config', "mmcv's operators called", *_STAGES.values(), 's']
    columns += ['difference'] if compared else []
    lines = []
    for row in rows:
        cells = [row['name'], f'`{_short(row["config"])}`', ', '.join(_operators(row)) or 'none',
                 *('yes' if _passes(row, stage) else '**no**' for stage in _STAGES),
                 f'{row.get("seconds", 0.0):.0f}']
        if compared:
            cells.append(_difference(by_name.get(row['name'])))
        lines.append(cells)
    return markdown_table(columns, lines)


def _difference(value: float | None) -> str:
    if value is None:
        return '–'
    return f'{value:.0e}' if value else '0'


def _short(config: str) -> str:
    return config.rpartition('/')[2].removesuffix('.py')


def _operators(row: Mapping[str, Any]) -> list[str]:
    """Return the operators without their direction, in alphabetical order."""
    return sorted({re.sub(r'_(forward|backward)(_\w+)?$', '', name)
                   for name in row.get('operators', {})})


def _passes(row: Mapping[str, Any], stage: str) -> bool:
    return row['causes'].get(stage) == ''


def _causes(row: Mapping[str, Any]) -> list[str]:
    """Return one line for each cause, with the stages that failed by it."""
    stages: dict[str, list[str]] = {}
    for stage, cause in row['causes'].items():
        if cause:
            stages.setdefault(cause, []).append(stage)
    return [f'- {row["name"]} ({", ".join(each)}): {cause}' for cause, each in stages.items()]
