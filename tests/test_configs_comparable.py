"""Table 4: DGL, PredSim and InfoPro of AugLocal's depth and at AugLocal's cost."""
import re

import pytest
from config_files import CONFIGS, docstring, parse

from auglocal_mm.rules import build_rule

RULES = ('dgl', 'predsim', 'infopro')
DEPTHS = (2, 3, 4, 5, 6)
PAPER = {
    'auglocal': ('90.98 +- 0.05', '92.62 +- 0.22', '93.22 +- 0.17', '93.75 +- 0.20',
                 '93.96 +- 0.15'),
    'dgl': ('83.03 +- 0.24', '85.82 +- 0.08', '87.84 +- 0.46', '89.19 +- 0.20', '90.01 +- 0.05'),
    'predsim': ('72.06 +- 0.63', '80.16 +- 0.47', '86.00 +- 0.56', '88.27 +- 0.72',
                '88.34 +- 0.34'),
    'infopro': ('83.71 +- 0.20', '89.14 +- 0.17', '90.75 +- 0.22', '91.45 +- 0.05',
                '92.10 +- 0.17')}


def config_of(rule):
    return CONFIGS / f'{rule}/resnet110_cifar10_comparable-flops.py'


def table(rule):
    """Depth -> width, GFLOPs, AugLocal's GFLOPs, and the two published figures."""
    figure = r'\d\d\.\d\d \+- \d\.\d\d'
    rows = re.findall(rf'^ +(\d) +([\d.]+) +([\d.]+) +([\d.]+)   ({figure}) \(({figure})\)$',
                      docstring(config_of(rule)), flags=re.MULTILINE)
    return {int(depth): row for depth, *row in rows}


@pytest.mark.parametrize('rule', RULES)
def test_the_table_has_every_depth_and_the_papers_figures(rule):
    assert tuple(table(rule)) == DEPTHS
    published = list(zip(PAPER[rule], PAPER['auglocal']))
    assert [(row[3], row[4]) for row in table(rule).values()] == published


@pytest.mark.parametrize('rule', RULES)
def test_flops_are_within_the_stated_percentage_of_auglocals(figures, rule):
    """For the config as it stands, and for each depth and width of its table."""
    local = parse(config_of(rule)).model.local.to_dict()
    auglocal = parse(CONFIGS / 'auglocal/resnet110_cifar10.py').model.local.to_dict()
    width = float(table(rule)[6][0])
    assert (local['depth'], local['kernel_size'], local['width']) == (6, 3, width)
    stated = float(re.search(r'at most ([\d.]+) % off', docstring(config_of(rule)))[1])
    for depth, (width, printed, printed_auglocal, *_) in table(rule).items():
        ours = figures.flops(build_rule({**local, 'depth': depth, 'width': float(width)}))
        theirs = figures.flops(build_rule({**auglocal, 'depth': depth}))
        assert (f'{ours / 1e9:.3f}', f'{theirs / 1e9:.3f}') == (printed, printed_auglocal)
        assert abs(ours / theirs - 1) * 100 <= stated <= 1.2


@pytest.mark.parametrize('rule', RULES)
def test_all_but_shape_is_as_in_table_2(rule):
    local, plain = (parse(path).model.local.to_dict() for path in (
        config_of(rule), CONFIGS / f'{rule}/resnet110_cifar10.py'))
    for key in ('depth', 'kernel_size', 'width'):
        local.pop(key)
    plain.pop('loss', None)  # InfoPro's default
    assert local == plain
