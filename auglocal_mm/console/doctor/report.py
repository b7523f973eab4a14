"""The doctor's table and its command line."""
import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict

from auglocal_mm.console.tool import add_debug

from .facts import LISTED, Facts, collect
from .judgement import PARTS, Problem, distribution_of, judge

OPTIONAL = ('transformers', 'opencv-python', 'opencv-python-headless', 'setuptools', 'mmcv-full',
            'mmcv-lite')


def version_rows(facts: Facts) -> list[tuple[str, str]]:
    """Return name and version of each part; the absent distribution is left out."""
    alternatives = {name for maintained, originals in PARTS.values()
                    for name in (maintained, *originals)}
    rows = [('python', '.'.join(map(str, facts.python)) + f' ({facts.implementation})')]
    for name in LISTED:
        if name in facts.versions:
            rows.append((name, facts.versions[name]))
        elif name not in alternatives and name not in OPTIONAL:
            rows.append((name, 'not installed'))
    return rows


def working(facts: Facts, probe: str) -> str:
    """Return a probe's outcome in a word."""
    maintained, originals = PARTS[probe.split('.')[0]]
    if not any(name in facts.versions for name in (maintained, *originals)):
        return 'not installed'
    return 'FAILS' if 'error' in facts.probes.get(probe, {'error': ''}) else 'works'


def operators(facts: Facts) -> str:
    """Return whose operators mmcv uses, and where they run."""
    told = facts.probes.get('mmcv.ops', {})
    state, kind = working(facts, 'mmcv.ops'), told.get('operators', 'none')
    if state != 'works':
        return state if state == 'not installed' else f'{state} ({kind})'
    whose, cuda = 'compiled', told['cuda']
    if kind != 'compiled':
        whose = f"{kind}'s"
        cuda = facts.probes.get('torch', {}).get('cuda') or 'not available'
    device = 'the CPU alone' if cuda == 'not available' else f'the CPU and CUDA {cuda}'
    return f'{whose}, for {device}'


def state_rows(facts: Facts) -> list[tuple[str, str]]:
    """Return what was tried and how it went."""
    torch = facts.probes.get('torch', {})
    devices = ', '.join(torch.get('devices', [])) or 'no device'
    return [
        ('OpenMMLab distribution', distribution_of(facts)),
        ('torch with CUDA', f'{torch.get("cuda") or "no"}; {devices}'),
        ('mmcv operators', operators(facts)),
        ('mmpretrain.models', working(facts, 'mmpretrain.models')),
        ('mmdet.models', working(facts, 'mmdet.models')),
        ('auglocal_mm from', str(facts.probes.get('auglocal_mm', {}).get('place', 'nowhere'))),
    ]


def data_rows(facts: Facts) -> list[tuple[str, str]]:
    """Return where data sets are expected, and whether they are there."""
    rows = []
    for name, lacking in facts.data.items():
        state = 'not there' if lacking is None else 'found'
        rows.append((name, f'lacks {", ".join(lacking)}' if lacking else state))
    return rows


def render(facts: Facts, problems: Sequence[Problem]) -> str:
    """Return the whole table as text."""
    lines = []
    for title, rows in (('Versions', version_rows(facts)), ('State', state_rows(facts)),
                        ('Data sets, from the current directory', data_rows(facts))):
        lines += [title, *(f'  {name:<24}{value}' for name, value in rows), '']
    for problem in problems:
        lines += [f'{"ERROR" if problem.is_error else "note"}: {problem.what}',
                  f'  Fix: {problem.fix}']
    if not problems:
        lines.append('Everything works.')
    return '\n'.join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Examine this environment; return 1 if something is broken."""
    parser = argparse.ArgumentParser(
        description='Show the versions of all parts, what works and how to repair what does not.')
    parser.add_argument('--json', action='store_true', help='print facts and problems as JSON')
    add_debug(parser)
    arguments = parser.parse_args(argv)
    facts = collect()
    problems = judge(facts)
    if arguments.json:
        print(json.dumps({'distribution': distribution_of(facts), **facts.to_dict(),
                          'problems': [asdict(problem) for problem in problems]}, indent=2))
    else:
        print(render(facts, problems))
    return int(any(problem.is_error for problem in problems))
