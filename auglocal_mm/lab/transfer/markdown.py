"""A comparison as Markdown: what was run, and every table."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auglocal_mm.lab.pages.machine import machine
from auglocal_mm.lab.pages.text_table import markdown_table

from .detector import FREEZE
from .error_types import KINDS
from .tables import Table, classes_table, differences_table, errors_table, figures_table
from .truth import NAMES

_FROZEN = ('The backbone was frozen: only neck and heads were trained, so AP measures what the '
           'features hold.')


def title(result: Mapping[str, Any]) -> str:
    """Return the title of a comparison."""
    count = len(result['rows'])
    config = Path(result['detector'].rpartition('::')[2]).stem
    return f'{config} on {count} backbone{"" if count == 1 else "s"}'


def notes(result: Mapping[str, Any]) -> list[str]:
    """Return what a reader must know before any figure, a sentence each."""
    found = [_FROZEN] if result['frozen'] else []
    chosen = [each for each in result['options'] if each != FREEZE]
    if chosen:
        found.append(f'Settings besides the config: {" ".join(chosen)}')
    if not result['complete']:
        found.append('Some runs are not done yet; start the same command again.')
    return found


def facts(result: Mapping[str, Any]) -> dict[str, str]:
    """Return what the figures are based on: runs, data, hardware and versions."""
    counts = sorted({sum(run['state'] == 'done' for run in row['runs']) for row in result['rows']})
    shown = '–'.join(str(each) for each in dict.fromkeys([counts[0], counts[-1]]))
    runs = (f'n = {shown} per backbone, mean ± standard deviation' if counts[-1] > 1 else
            f'n = {shown} per backbone, so there is no spread to show')
    hardware, *rest = machine(result)
    length = (f', {result["epochs"]} epoch{"" if result["epochs"] == 1 else "s"} each'
              if result['epochs'] else '')
    return {'Runs': runs + length,
            'Judged on': f'{result["images"]:,} images with {result["objects"]:,} objects; AP in '
                         'percent, at most 100 predictions of a class in an image',
            'Hardware': hardware, 'Versions': '; '.join(rest)}


def render_markdown(result: Mapping[str, Any]) -> str:
    """Render the content of ``results.md``."""
    lines = [f'# {title(result)}', '', *(f'{note}\n' for note in notes(result))]
    # Two spaces at its end break a line in Markdown.
    lines += [f'{name}: {text}  ' for name, text in facts(result).items()]
    for kind in result['kinds']:
        lines += ['', _laid_out(figures_table(result, kind))]
    if result['differences']:
        lines += ['', '## Differences', '', _laid_out(differences_table(result))]
    for kind in result['kinds']:
        lines += ['', f'## {NAMES[kind].capitalize()} AP by class', '',
                  _laid_out(classes_table(result, kind))]
    for kind in result['kinds']:
        lines += ['', f'## Errors of {NAMES[kind]} predictions', '',
                  'What AP50 would gain if all errors of a kind were fixed, and how many there are '
                  'in a run.', '', _laid_out(errors_table(result, kind))]
    lines += ['', *(f'- {name}: {text}' for name, text in KINDS.items())]
    return '\n'.join(lines) + '\n'


def _laid_out(table: Table) -> str:
    header, rows = table
    return markdown_table(header, rows, right=range(1, len(header)))
