"""The comparison, its text and its pictures."""
import json

import pytest
from parallel_costs import model, module

from auglocal_mm.files import FileError
from auglocal_mm.lab.parallel.compare import Cluster, Comparison
from auglocal_mm.lab.parallel.costs import ModelCosts
from auglocal_mm.lab.parallel.formula import time_ratio
from auglocal_mm.lab.parallel.report import Report
from auglocal_mm.lab.parallel.result import NAMES
from auglocal_mm.lab.parallel.write import write_plan

COSTS = model(*[module(0.03 + 0.01 * (i % 2), bp=0.02, sent=2e6, trained=1e6, kept=1e8)
                for i in range(6)], batch_size=16, source='made up')


@pytest.fixture(scope='module')
def report():
    comparison = Comparison(COSTS, Cluster())
    return Report.make(comparison, [1, 2, 4, 8, 16, 32], comparison.local_stages(3, replicas=2))


def test_formula_a_1():
    """Section A.1: BP takes (L + 1)(t_f + t_b)N; here t_f = 1 and t_b = 2."""
    layers, depth, iterations = 55, 2, 1000
    ours = 1 * (layers - 1) + (depth + 1) * 3 * iterations
    assert time_ratio(depth=depth, layers=layers, iterations=iterations) == pytest.approx(
        ours / (layers * 3 * iterations))
    assert time_ratio(depth=depth, layers=layers) == pytest.approx(3 / 55)


def test_a_strategy_that_does_not_fit_is_left_out(report):
    rows = report.rows
    assert set(rows[1]) == {'local_data_parallel', 'bp_data_parallel'}
    assert set(rows[4]) == set(NAMES)
    # More ranks than modules, then more ranks than images.
    assert 'local_pipeline' not in rows[8] and 'bp_gpipe' not in rows[8]
    assert 'local_data_parallel' not in rows[32] and 'local_hybrid' in rows[32]
    for ranks, row in rows.items():
        assert {result.ranks for result in row.values()} == {ranks}


def test_every_hybrid_was_considered():
    """The search skips splits that cannot win; an exhaustive one finds the same."""
    comparison = Comparison(COSTS, Cluster())
    every = [comparison.local(comparison.local_stages(stages, replicas=12 // stages))
             for stages in (2, 3, 4, 6)]
    assert comparison.results(12)['local_hybrid'].period == min(each.period for each in every)


def test_a_limit_of_memory():
    whole = COSTS.local_bytes(range(6))
    found = Comparison(COSTS, Cluster(limit=whole - 1)).results(2)
    # Half of the batch still fits beside all weights, unlike what BP keeps.
    assert {'local_pipeline', 'local_data_parallel'} <= set(found)
    assert 'bp_gpipe' not in found
    assert not Comparison(COSTS, Cluster(limit=1.0)).results(2)


def test_a_stage_ends_where_a_module_has_a_boundary():
    costs = model(module(1.0, cut=False), module(1.0), module(4.0))
    comparison = Comparison(costs, Cluster())
    assert comparison.local_stages(2).stages == (range(2), range(2, 3))
    assert comparison.bp_stages(3).stages == (range(1), range(1, 2), range(2, 3))
    assert 'local_pipeline' not in comparison.results(3)


def test_text(report):
    text = str(report)
    assert '(d + 1) / (L + 1) = 2 / 6 = 0.333' in text
    assert 'costs made up' in text and '10 GB/s and 20 µs' in text
    assert '6 modules on 6 ranks: 3 stages × 2 replicas' in text
    table = text.split('\n\n')[2].splitlines()
    assert table[0].startswith('Throughput')
    assert [line.split()[0] for line in table[3:]] == ['1', '2', '4', '8', '16', '32']
    assert all(line.count('*') == 1 for line in table[3:])
    schedule = text.split('\n\n')[-1].splitlines()
    assert [line[:8] for line in schedule[1:4]] == ['rank 0 |', 'rank 1 |', 'rank 2 |']


def test_who_wins_where(report):
    lines = list(report.winners())
    assert lines[0].strip() == ('1 worker: BP, 1.75 times the throughput of the best of '
                                'local learning')
    assert all(' worker' in line for line in lines)
    nothing = Report.make(Comparison(COSTS, Cluster(limit=1.0)), [1], report.assignment)
    assert list(nothing.winners()) == ['  nothing fits into the memory of a worker']


def test_files(tmp_path):
    comparison = Comparison(COSTS, Cluster(micro=2))
    report = Report.make(comparison, [2, 4], comparison.local_stages(2, replicas=2))
    write_plan(report, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        'plan.txt', 'plan.json', 'costs.json', 'speed.png', 'speed.svg', 'schedule.png',
        'schedule.svg'}
    assert (tmp_path / 'plan.txt').read_text() == f'{report}\n'
    data = json.loads((tmp_path / 'plan.json').read_text())
    assert data['stages'] == [[0, 3], [3, 6]] and data['replicas'] == 2
    costs = json.loads((tmp_path / 'costs.json').read_text())
    assert ModelCosts.from_dict(costs, 'costs.json') == COSTS
    drawn = (tmp_path / 'schedule.svg').read_text()
    assert 'BP zero bubble, 2 stages × 2 replicas' in drawn and 'average' in drawn
    assert 'local pipeline' in (tmp_path / 'speed.svg').read_text()


@pytest.mark.parametrize(('change', 'told'), [
    (dict(modules=[]), 'at least 1 module'),
    (dict(batch_size=0), 'batch_size must be at least 1, got 0'),
    (dict(modules=[{'name': 'a'}]), 'missing'),
    (dict(colour='red'), 'colour'),
])
def test_a_file_that_holds_no_costs(change, told):
    with pytest.raises(FileError, match=f'x.json does not hold the costs of modules .*{told}'):
        ModelCosts.from_dict({**COSTS.to_dict(), **change}, 'x.json')


@pytest.mark.parametrize('value', [-1.0, float('nan'), 'fast', None])
def test_impossible_costs(value):
    with pytest.raises(ValueError, match='seconds of module unit must be a finite number'):
        module(value, bp=1.0)


@pytest.mark.parametrize(('values', 'told'), [
    (dict(queue=0), '--queue must be at least 1'),
    (dict(micro=0), '--micro-batches must be at least 1'),
    (dict(limit=0.0), '--memory-limit'),
    (dict(limit=float('nan')), '--memory-limit'),
])
def test_impossible_clusters(values, told):
    with pytest.raises(ValueError, match=told):
        Cluster(**values)


def test_more_micro_batches_than_images_are_left_out():
    comparison = Comparison(COSTS, Cluster(micro=17))
    assert 'bp_gpipe' not in comparison.results(2)
