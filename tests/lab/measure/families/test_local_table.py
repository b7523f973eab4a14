"""The table of local trainings, from made results; and the document that shows one."""
import re

import pytest

from auglocal_mm.lab.measure.families import FAMILIES
from auglocal_mm.lab.measure.families.table import markdown

PASSED = dict.fromkeys(('build', 'train', 'predict'), '')


def row(name, *, backbone='ResNet', modules=4, **causes):
    return {'name': name, 'config': f'{name}.py', 'seconds': 1.0, 'backbone': backbone,
            'modules': modules, 'causes': {**PASSED, **causes}}


def lines_of(*rows):
    text = markdown({'training': 'local', 'operators': 'torchvision', 'versions': {'torch': '2'},
                     'hardware': {'cpu': 'a processor'}, 'families': list(rows)})
    return [[cell.strip() for cell in line.strip('|').split('|')] for line in text.splitlines()
            if line.startswith('|') and '---' not in line]


def test_families_stand_with_their_backbone_and_the_most_come_first():
    table = lines_of(row('Swin', backbone='mmdet.SwinTransformer'), row('FCOS'),
                     row('Faster R-CNN'), row('Faster R-CNN, C4', modules=3), row('DCN, v2'))
    assert table == [
        ['backbone', 'modules', 'families', 'names'],
        ['`ResNet`', '3, 4', '4', 'FCOS, Faster R-CNN (also: C4), DCN (v2)'],
        ['`SwinTransformer`', '4', '1', 'Swin']]


def test_one_cause_stands_once_in_its_first_clause():
    uncut = 'TypeError: nobody knows how to cut Hourglass; supported are ResNet and VGG'
    table = lines_of(row('A', build=uncut), row('B', train='ended after 9 s', predict='no matter'),
                     row('C', build=uncut), {'name': 'D', 'causes': {'build': 'ValueError: no'}})
    assert table[1:] == [['not trained', 'why'], ['A, C', 'nobody knows how to cut Hourglass'],
                         ['B', 'ended after 9 s'], ['D', 'no']]


@pytest.mark.parametrize('stage', PASSED)
def test_a_family_passes_in_all_three_stages_or_not_at_all(stage):
    text = lines_of(row('A', **{stage: 'E: why'}))
    assert text[-1] == ['A', 'why']


def test_the_document_names_every_family_once(root):
    text = (root / 'docs/detection.md').read_text()
    section = text[text.index('## Which detectors'):]
    section = section[:section.index('\n## ', 1)]
    tables = '\n'.join(line for line in section.splitlines() if line.startswith('| '))
    names = {family.name.partition(', ')[0] for family in FAMILIES}
    # A family with variants may stand in both tables.
    several = {name for name in names
               if sum(family.name.partition(', ')[0] == name for family in FAMILIES) > 1}
    for name in names:
        found = len(re.findall(rf'(?<=[|,] ){re.escape(name)}(?= [(|]|,)', tables))
        assert found == 1 or (found == 2 and name in several), name
    variants = {variant for family in FAMILIES for variant in [family.name.partition(', ')[2]]}
    for variant in variants - {''}:
        assert re.search(rf'[(,:] ?{re.escape(variant)}[,)]', tables), variant
