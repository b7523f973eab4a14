"""A survey of local trainings as Markdown: who trains, by backbone, and why others do not."""
from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from auglocal_mm.lab.pages.text_table import markdown_table

STAGES = ('build', 'train', 'predict')


def local_markdown(found: Mapping[str, Any], heading: str) -> str:
    """Return the families that train and predict, then those that do not with their causes.

    Args:
        found: A survey of local trainings.
        heading: What stands above.
    """
    rows = found['families']
    failed = [row for row in rows if _cause(row)]
    parts = [heading, _trained([row for row in rows if not _cause(row)])]
    if failed:
        parts.append(_refused(failed))
    return '\n\n'.join(parts)


def _cause(row: Mapping[str, Any]) -> str:
    """Return why a family does not pass, in the words of its first failure; empty if it does."""
    for stage in STAGES:
        if cause := row['causes'].get(stage, 'not tried'):
            return cause
    return ''


def _trained(rows: Sequence[Mapping[str, Any]]) -> str:
    """Group families by backbone; the backbone of the most families comes first."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row['backbone'].rpartition('.')[2], []).append(row)
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    return markdown_table(['backbone', 'modules', 'families', 'names'], [
        [f'`{backbone}`', _modules(members), str(len(members)), _names(members)]
        for backbone, members in ordered])


def _modules(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return how many modules they have: ``4``, or ``3, 4`` where they differ."""
    return ', '.join(map(str, sorted({row['modules'] for row in rows})))


def _names(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the families' names; several of one name but for what follows a comma as one.

    ``Faster R-CNN; Faster R-CNN, C4`` is ``Faster R-CNN (also: C4)``.
    """
    variants: dict[str, list[str]] = {}
    plain = set()
    for row in rows:
        name, _, variant = row['name'].partition(', ')
        variants.setdefault(name, [])
        if variant:
            variants[name].append(variant)
        else:
            plain.add(name)
    return ', '.join(_with_variants(name, more, also=name in plain)
                     for name, more in variants.items())


def _with_variants(name: str, variants: Sequence[str], *, also: bool) -> str:
    if not variants:
        return name
    return f'{name} ({"also: " if also else ""}{", ".join(variants)})'


def _refused(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return one line for each cause, with all families that it stops."""
    by_cause: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_cause.setdefault(_short(_cause(row)), []).append(row)
    return markdown_table(['not trained', 'why'], [
        [_names(members), cause] for cause, members in by_cause.items()])


def _short(cause: str) -> str:
    """Return the first clause of an error, without its type."""
    clause = cause.partition(';')[0].removesuffix('.')
    return re.sub(r'^\w+(Error|Exception): ', '', clause)
