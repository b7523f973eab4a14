"""A table's figures as Markdown, with the paper's beside ours."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from auglocal_mm.lab.pages.figure import figure
from auglocal_mm.lab.pages.machine import machine
from auglocal_mm.lab.pages.signed import signed
from auglocal_mm.lab.pages.text_table import markdown_table


def label(result: Mapping[str, Any]) -> str:
    """Return the line that says how these runs depart from the paper's."""
    if not result['scaled']:
        return ''
    return 'SCALED DOWN, not comparable with the paper: ' + '; '.join(
        result['settings']['departures'])


def seeds(result: Mapping[str, Any]) -> str:
    """Say how many runs each figure is based on."""
    key = result['metrics'][0]['key']
    counts = sorted({row['ours'][key]['n'] for row in result['rows'] if key in row['ours']})
    if not counts:
        return 'no run is done yet'
    # One number where all rows have the same.
    text = '–'.join(str(each) for each in dict.fromkeys([counts[0], counts[-1]]))
    return f'n = {text} run{"s" if counts[-1] > 1 else ""} per row, mean ± standard deviation'


def claims(result: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the orderings: whether each appears, and by how much."""
    header = ['ordering', 'appears', 'difference', 'in the paper']
    rows = [_claim(entry) for entry in result['claims']]
    if all(entry['paper'] is None for entry in result['claims']):
        return header[:3], [row[:3] for row in rows]
    return header, rows


def _claim(entry: Mapping[str, Any]) -> list[str]:
    verdict = {True: 'yes', False: 'no', None: 'not known yet'}[entry['holds']]
    if entry['difference'] is None:
        ours = '–'
    else:
        spread = f' ± {entry["spread"]:.2f}' if entry['spread'] is not None else ''
        ours = signed(entry['difference']) + spread
        if entry['spread'] is not None and abs(entry['difference']) < entry['spread']:
            verdict += ', within the spread'
    paper = '–' if entry['paper'] is None else signed(entry['paper'])
    return [f'{entry["better"]} > {entry["worse"]}', verdict, ours, paper]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return markdown_table(header, rows, right=range(1, len(header)))


def cells(result: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the table as text, without columns that the paper lacks."""
    header, rows = [''], [[row['label']] for row in result['rows']]
    for metric in result['metrics']:
        columns = ['ours', 'paper']
        if not any(metric['key'] in row['paper'] for row in result['rows']):
            columns = ['ours']
        header += [f'{metric["label"]}, ours', 'paper'][:len(columns)]
        for row, line in zip(result['rows'], rows, strict=True):
            line += [figure(row[column].get(metric['key']), metric['digits'])
                     for column in columns]
    return header, rows


def render_markdown(result: Mapping[str, Any]) -> str:
    """Render the content of ``table.md``: label, provenance, table, orderings."""
    lines = [f'# {result["title"]}', '']
    if result['scaled']:
        lines += [f'**{label(result)}**', '']
    if result['selection']:
        lines += ['A selection of the table\'s rows.', '']
    if not result['complete']:
        lines += ['Some runs are not done yet; start the same command again.', '']
    # Two spaces at its end break a line in Markdown.
    lines += [seeds(result) + '.', *[f'{line}  ' for line in machine(result)], '']
    lines.append(_table(*cells(result)))
    if result['claims']:
        lines += ['', 'Orderings of the paper, and whether they appear here:', '',
                  _table(*claims(result))]
    if result['note']:
        lines += ['', result['note']]
    return '\n'.join(lines) + '\n'
