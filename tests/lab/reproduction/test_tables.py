"""Tables hold the paper's figures, and every row is a config that parses."""
import json
from itertools import chain

import pytest
from mmengine.config import Config

from auglocal_mm.lab.reproduction.table import FLOPS, MEMORY, OVERHEAD, TOP1, Row
from auglocal_mm.lab.reproduction.tables import TABLES, find_table

ROWS = list(chain.from_iterable(find_table(name).rows for name in TABLES))


@pytest.fixture(scope='module')
def paper(root):
    path = root.parent / 'shared' / 'paper_tables.json'
    if not path.is_file():
        pytest.skip('the published figures are not available')
    return json.loads(path.read_text(encoding='utf-8'))


def figures(table, key=TOP1.key):
    return {row.name: [row.paper[key].mean, row.paper[key].std]
            for row in find_table(table).rows}


def grid(table, names):
    """Rows of a published table with one column a depth, by our names of the cells."""
    depths = [column.removeprefix('d=') for column in table['columns']]
    return {f'{ours}-d{depth}': figure for theirs, ours in names.items()
            for depth, figure in zip(depths, table[theirs])}


def test_table_2(paper):
    published = paper['table2_cifar10_resnet110']
    names = {'bp': 'BP', 'checkpoint': 'gradient checkpoint', 'predsim': 'PredSim', 'dgl': 'DGL',
             'infopro': 'InfoPro', **{f'auglocal-d{d}': f'AugLocal d={d}' for d in range(2, 7)}}
    for key, column in ((TOP1.key, lambda row: row['acc']),
                        (FLOPS.key, lambda row: [row['flops'], None]),
                        (OVERHEAD.key, lambda row: [row['overhead'] or 0.0, None]),
                        (MEMORY.key, lambda row: [100 * row['memory'] / 9.27, None])):
        assert figures('2', key) == {
            ours: column(published[theirs]) for ours, theirs in names.items()}
    assert figures('figure1') == {ours: published[theirs]['acc']
                                  for ours, theirs in names.items() if ours != 'checkpoint'}


def test_table_3(paper):
    published = paper['table3_cifar10_convnets']
    expected = {}
    for ours, theirs in (('mobilenet-v2', 'MobileNetV2'), ('efficientnet-b0', 'EfficientNetB0'),
                         ('regnetx-400mf', 'RegNetX_400MF')):
        for column, figure in zip(published['columns'], published[theirs]):
            expected[f'{ours}-{column.replace("=", "").lower()}'] = figure
    assert figures('3') == expected


def test_table_4(paper):
    assert figures('4') == grid(paper['table4_comparable_flops'], {
        'AugLocal': 'auglocal', 'DGL': 'dgl', 'PredSim': 'predsim', 'InfoPro': 'infopro'})


def test_table_5(paper):
    published = paper['table5_ablation_d6']
    assert list(figures('5').values()) == list(published.values())
    labels = [row.label for row in find_table('5').rows]
    assert labels == ['AugLocal, d = 6', *(name.replace('3x3', '3×3')
                                           for name in list(published)[1:])]


def test_table_6(paper):
    published = paper['table6_flops']
    expected = {f'd{depth}-tau{tau}': [figure, None] for depth in range(5, 10)
                for tau, figure in zip(published['tau'], published[f'd={depth}'])}
    assert figures('6', FLOPS.key) == expected


def test_table_7(paper):
    published = paper['table7_coco_maskrcnn_r34']
    ours = {row.label: [each.mean for each in row.paper.values()] for row in find_table('7').rows}
    assert ours == {name: [published[name][0], published[name][3]] for name in ('BP', 'AugLocal')}


def test_table_8(paper):
    assert figures('8') == grid(paper['table8_infopro_loss'], {
        'CE': 'auglocal', 'InfoPro': 'infopro-loss'})


@pytest.mark.parametrize('name', TABLES)
def test_claims_hold_in_the_papers_figures(name):
    table = find_table(name)
    known = {row.name: row.paper.get(table.metrics[0].key) for row in table.rows}
    assert all(claim.better in known and claim.worse in known for claim in table.claims)
    for claim in table.claims:
        if known[claim.better] is not None:
            assert known[claim.better].mean > known[claim.worse].mean


@pytest.mark.parametrize('config', sorted({(row.config, row.options) for row in ROWS}), ids=str)
def test_every_row_is_a_config_whose_options_change_what_they_name(root, config):
    from mmengine.config import DictAction
    path, options = config
    cfg = Config.fromfile(root / 'configs' / path)
    for option in options:
        key, _, text = option.partition('=')
        value = DictAction._parse_iterable(text)
        cfg.merge_from_dict({key: value})
        found = cfg
        for part in key.split('.'):
            found = found[part]
        assert found == value


def test_rows_that_are_the_same_run_share_a_folder_and_no_others():
    by_key: dict[str, set] = {}
    for row in ROWS:
        by_key.setdefault(row.key, set()).add((row.config, row.options, row.detector))
    assert all(len(runs) == 1 for runs in by_key.values())
    shared = {row.key for row in find_table('2').rows} & {row.key for row in find_table('8').rows}
    assert len(shared) == 5


def test_a_folder_is_named_by_config_and_settings():
    row = Row('x', 'X', 'auglocal', 'auglocal/resnet110_cifar10.py',
              ('model.local.depth=3', 'model.local.tau=0.5'))
    assert row.key == 'resnet110_cifar10_auglocal_depth-3_tau-0.5'


@pytest.mark.parametrize('name', ['2', 'table2', 'Table 2', 'table-2'])
def test_a_table_is_found_by_its_names(name):
    assert find_table(name).name == '2'


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match=r"no table '9'; there are 2, 3, .*small"):
        find_table('9')
    with pytest.raises(ValueError, match='table 2 has no row nobody; it has bp, checkp'):
        find_table('2').select(['bp', 'nobody'])


def test_a_selection_keeps_the_claims_about_its_rows():
    with pytest.raises(ValueError, match='uses the runs of bp'):
        find_table('2').select(['checkpoint', 'dgl'])
    table = find_table('2').select(['bp', 'auglocal-d6'])
    assert [row.name for row in table.rows] == ['bp', 'auglocal-d6']
    assert [(claim.better, claim.worse) for claim in table.claims] == [('bp', 'auglocal-d6')]
