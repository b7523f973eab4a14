"""The picture's labels can be read."""
from itertools import combinations

import pytest
from bench_subjects import MEASURED
from matplotlib.text import Annotation

from auglocal_mm.lab.drawing.chart import COLORS
from auglocal_mm.lab.measure.benchmark.picture import memory_time, text_box
from auglocal_mm.lab.measure.benchmark.presets import TABLE2
from auglocal_mm.lab.measure.benchmark.row import Row

#: Time and memory of Table 2's rows on a CPU, of about this size.
FIGURES = [(1, 1), (1.3, 0.285), (1.7, 0.096), (1.3, 0.163), (3.7, 0.178), (2.1, 0.164),
           (2.4, 0.251), (2.8, 0.295), (3.3, 0.353), (3.9, 0.395), (1.6, 0.77), (1.1, 0.28),
           (1.2, 0.98), (2.1, 0.095), (2.6, 0.145), (2.6, 0.071), (1.2, 0.6), (1.3, 0.4)]


def row(name, point, *, method=None, paper=None):
    time, memory = point
    theirs = paper.ratios(TABLE2['bp'].paper) if paper else (None, None)
    seconds = tuple(3 * time * spread for spread in (0.9, 1, 1.2))
    return Row(name, method, None, paper, seconds, MEASURED, 'bp', {
        'time_ratio': time, 'made_ratio': memory, 'peak_ratio': memory,
        'paper_time_ratio': theirs[0], 'paper_memory_ratio': theirs[1]})


TABLE = [row(name, point, paper=TABLE2[name].paper, method=name if name in COLORS else 'auglocal')
         for name, point in zip(TABLE2, FIGURES, strict=True)]
CROWD = [row('bp', (1, 1), method='bp')] + [
    row(f'config/number-{n}', (2 + n / 20, 0.1), method='dgl') for n in range(6)]


@pytest.mark.parametrize('rows', [TABLE, CROWD, TABLE[:1], CROWD[1:3]])
def test_labels_neither_overlap_nor_leave_the_picture(rows):
    rows = [*rows, Row('dead', 'bp', 'it broke')]
    rows = [Row(**{**vars(each), 'reference': rows[0].name}) for each in rows]
    chart = memory_time(rows)
    axes = chart.figure.axes[0]
    labels = [text for text in axes.texts if isinstance(text, Annotation)]
    assert len(labels) == len(rows) - 1
    boxes = [text_box(label) for label in labels]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
    assert all(axes.bbox.contains(*corner) for box in boxes for corner in (box.min, box.max))
    points = [axes.transData.transform((each.ratios['time_ratio'], each.ratios['made_ratio']))
              for each in rows if not each.error]
    assert not any(box.contains(*point) for box in boxes for point in points)
    assert all(f'{each.name} ' in chart.alt for each in rows if not each.error)


def test_it_is_written_as_png_and_svg(tmp_path):
    chart = memory_time(TABLE)
    chart.save_png(tmp_path / 'x.png')
    chart.save_svg(tmp_path / 'x.svg')
    assert (tmp_path / 'x.png').read_bytes().startswith(b'\x89PNG')
    text = (tmp_path / 'x.svg').read_text()
    assert 'AugLocal, d = 4' in text and 'BP, selective checkpointing' in text


def test_no_figures_no_picture():
    with pytest.raises(ValueError, match='at least 1 row with figures, got 0'):
        memory_time([Row('dead', 'bp', 'it broke')])
