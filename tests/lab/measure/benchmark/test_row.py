"""Ratios, JSON and the table, from figures made by hand."""
import json

import pytest
from bench_subjects import MEASURED

from auglocal_mm.lab.measure.benchmark import Entry, markdown, to_json
from auglocal_mm.lab.measure.benchmark.presets import TABLE2
from auglocal_mm.lab.measure.benchmark.row import quartiles, rows_of
from auglocal_mm.lab.measure.benchmark.turns import Outcome

PAPER = TABLE2['auglocal-d2'].paper
STEPS = {'fast': [2.0, 1.0, 3.0], 'slow': [4.0, 3.0, 9.0]}


def rows(**errors):
    """A local config of half the saved and a quarter of the added memory; BP second."""
    entries = [Entry('slow', 'slow.py', paper=PAPER),
               Entry('fast', 'fast.py', paper=TABLE2['bp'].paper)]
    measured = {'fast': MEASURED, 'slow': {**MEASURED, 'saved_activations_mb': 50.0,
                                           'live_peak_mb': 80.0, 'made_peak_mb': 15.0,
                                           'peak_memory_mb': 550.0, 'step_cpu_seconds': 0.75}}
    outcomes = {name: Outcome(STEPS[name], measured[name], errors.get(name)) for name in STEPS}
    return rows_of(entries, ['auglocal', 'bp'], outcomes)


def test_ratios_are_to_back_propagation():
    slow, fast = (row.to_dict() for row in rows())
    assert (slow['name'], slow['step_seconds'], slow['reference']) == ('slow', 4.0, 'fast')
    assert (slow['time_ratio'], slow['memory_ratio'], slow['peak_ratio']) == (2.0, 0.5, 0.25)
    assert (slow['live_peak_ratio'], slow['made_ratio']) == (0.4, 0.1)
    assert slow['live_parts_mb'] == MEASURED['live_parts_mb']
    # Of the rounds' own ratios 2, 3, 3.
    assert (slow['time_ratio_q1'], slow['time_ratio_q3']) == (2.5, 3.0)
    assert (slow['step_seconds_q1'], slow['step_seconds_q3']) == (3.5, 6.5)
    assert (slow['step_cpu_seconds'], slow['cpu_time_ratio']) == (0.75, 1.5)
    assert (slow['images_per_second'], slow['rounds']) == (1.0, 3)
    assert [fast[key] for key in ('time_ratio', 'memory_ratio', 'peak_ratio')] == [1, 1, 1]
    assert slow['paper'] == {'memory_gb': 1.71, 'overhead_percent': 87.2, 'gflops': 0.63}
    assert slow['paper_time_ratio'] == pytest.approx(1.872)
    assert slow['paper_memory_ratio'] == pytest.approx(1.71 / 9.27)


def test_without_back_propagation_the_first_is_the_reference():
    slow, fast = (row.to_dict() for row in rows(fast='it broke'))
    assert slow['reference'] == fast['reference'] == 'slow' and slow['time_ratio'] == 1
    assert slow['paper_time_ratio'] == slow['paper_memory_ratio'] == 1
    assert fast['error'] == 'it broke' and fast.keys() == slow.keys()
    assert all(fast[key] is None for key in (
        'step_seconds', 'saved_activations_mb', 'peak_memory_mb', 'time_ratio', 'memory_ratio'))
    assert [row.reference for row in rows(fast='x', slow='y')] == [None, None]


def test_json_is_a_list_of_rows():
    data = json.loads(to_json(rows(fast='it broke')))
    assert [row['name'] for row in data] == ['slow', 'fast']
    assert {'name', 'step_seconds', 'saved_activations_mb', 'peak_memory_mb', 'time_ratio',
            'memory_ratio'} <= data[0].keys()


def test_the_table_has_the_papers_columns_beside():
    text = markdown(rows(), command='benchmark_training.py x', on_cpu=True)
    header, _, slow, fast = ([cell.strip() for cell in line.strip('|').split('|')]
                             for line in text.splitlines() if line.startswith('|'))
    cells = dict(zip(header, slow, strict=True))
    assert (cells['time'], cells['paper: time']) == ('2.00', '1.87')
    assert cells['CPU time'] == '1.50'
    assert (cells['saved'], cells['paper: memory']) == ('0.500', '0.184')
    assert (cells['seconds per step'], cells['paper: GB']) == ('4.00 [3.50, 6.50]', '1.71')
    assert len(fast) == len(header)
    assert '`benchmark_training.py x`' in text and 'n = 3 steps' in text and 'to `fast`' in text


def test_the_table_of_what_fell_out():
    text = markdown(rows(fast='it broke'), command='x', on_cpu=True)
    assert 'fast: no figures, it broke' in text and 'to `slow`' in text
    assert markdown(rows(fast='a', slow='b'), command='x', on_cpu=True).count('no figures') == 2


@pytest.mark.parametrize(('values', 'expected'), [
    ([3.0], (3, 3)), ([1.0, 2.0], (1.25, 1.75)), ([5.0, 1.0, 2.0, 3.0, 4.0], (2, 4))])
def test_quartiles(values, expected):
    assert quartiles(values) == expected
