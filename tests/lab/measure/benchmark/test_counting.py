"""Laws made by hand: which row needs less, and from which batch size on."""
import numpy as np
import pytest
from matplotlib.text import Text

from auglocal_mm.lab.measure.benchmark.counting import Counted, least_batches
from auglocal_mm.lab.measure.benchmark.memory_picture import bars_of_counts, memory_parts
from auglocal_mm.lab.measure.benchmark.memory_table import memory_markdown
from auglocal_mm.lab.measure.live_memory import PARTS
from auglocal_mm.lab.measure.live_series import MemoryLaw

MIB = 2**20


def law(*moments):
    """Each moment: MiB that are fixed (parameters), and MiB for each image (activations)."""
    coefficients = np.zeros((3, len(moments), len(PARTS)))
    for index, (fixed, each) in enumerate(moments):
        coefficients[0, index, PARTS.index('parameters')] = fixed * MIB
        coefficients[1, index, PARTS.index('activations')] = each * MIB
    return MemoryLaw(coefficients)


ROWS = [Counted(name, method, None, (4, 100), each, 1000, 10) for name, method, each in (
    # The peak moves from the second moment to the third at 10 images.
    ('local', 'auglocal', law((50, 0), (60, 0), (50, 1))),
    ('bp', 'bp', law((10, 0), (10, 4))))]


def test_the_peak_moves():
    peaks = ROWS[0].peaks
    assert (peaks[4].total_mb, peaks[4].made_mb) == (60, 10)
    assert (peaks[100].total_mb, peaks[100].made_mb) == (150, 100)
    assert peaks[100].parts_mb['activations'] == 100


def test_from_which_batch_on():
    # 10 + 4n > 60 from n = 13 on; of multiples of 4, from 16 on.
    assert least_batches(ROWS) == {('local', 'bp'): 16, ('bp', 'local'): None}
    assert least_batches([ROWS[1], ROWS[0]], most=12) == {
        ('local', 'bp'): None, ('bp', 'local'): 4}
    assert ROWS[0].law.totals_mb(np.array([4, 100])).tolist() == [60, 150]


def test_the_table():
    lines = memory_markdown(ROWS, command='x').splitlines()
    cells = [[cell.strip() for cell in line.strip('|').split('|')]
             for line in lines if line.startswith('| local')]
    assert cells[0][:5] == ['local', '60.0', '2.308', '10.0', '0.625']
    assert cells[1][:5] == ['local', '150.0', '0.366', '100.0', '0.250']
    assert cells[2] == ['local', '', '16']


def test_bars_are_of_all_parts_and_bp_comes_first():
    chart = memory_parts(bars_of_counts(ROWS))
    left, right = chart.figure.axes
    for axes, totals in ((left, [26, 60]), (right, [410, 150])):
        ends = {}
        for bar in axes.patches:
            ends[round(bar.get_y(), 2)] = bar.get_x() + bar.get_width()
        assert list(ends.values()) == pytest.approx(totals)
    assert [text.get_text() for text in left.get_yticklabels()] == ['BP', 'local']
    texts = [text.get_text().strip() for text in right.findobj(Text)]
    assert '410' in texts and '150  (0.37)' in texts
    assert 'bp 410 MiB, most of it activations' in chart.alt
