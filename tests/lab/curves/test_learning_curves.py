import numpy as np
import pytest

from auglocal_mm.lab.curves.curves import Series
from auglocal_mm.lab.curves.learning_curves import learning_curves_chart, mean_and_range


def series(*values, first=1):
    return Series(tuple(range(first, first + len(values))), values)


def test_the_band_spans_all_runs_and_the_line_is_their_mean():
    band = mean_and_range([series(1.0, 3.0, 5.0), series(3.0, 3.0, 2.0)])
    assert [part.tolist() for part in band] == [[1, 2, 3], [2, 3, 3.5], [1, 3, 2], [3, 3, 5]]


def test_runs_of_other_lengths_and_steps_meet_where_all_of_them_are():
    steps, mean, low, high = mean_and_range([
        Series((1, 2, 3, 4), (4.0, 3.0, 2.0, 1.0)), Series((1.5, 3.0), (0.0, 3.0))])
    assert steps.tolist() == [1.5, 2, 3]
    assert mean.tolist() == pytest.approx([1.75, 2.0, 2.5])
    assert low.tolist() == pytest.approx([0, 1, 2]) and high[0] == pytest.approx(3.5)


def test_a_logarithmic_axis_leaves_out_what_it_cannot_show():
    assert mean_and_range([series(0.0, 2.0)], positive=True)[0].tolist() == [2]
    assert mean_and_range([series(0.0), Series()], positive=True) is None


def test_says_and_draws_each_line():
    chart = learning_curves_chart(
        'accuracy', {'BP': [series(10.0, 90.0), series(10.0, 94.0)],
                     'AugLocal d = 2': [series(10.0, 91.0)], 'DGL': [Series()]},
        title='Top-1 (%)', formatted='{:.1f}')
    assert chart.alt == ('Top-1 (%) by epoch; at the end BP 92.0 (mean of 2), '
                         'AugLocal d = 2 91.0.')
    axes = chart.figure.axes[0]
    drawn = [list(line.get_ydata()) for line in axes.lines if len(line.get_xdata()) == 2]
    assert [10, 92] in drawn and [10, 91] in drawn
    assert len(axes.collections) == 1
    assert [text.get_text() for text in axes.texts if text.get_text()] == [
        'BP  92.0  (n = 2)', 'AugLocal d = 2  91.0']


def test_cropping_never_cuts_what_comes_after_the_start():
    values = (10.0, 80.0, 60.0, 90.0, 91.0, 92.0)
    for crop, inside in ((0.0, 0), (0.2, 1), (0.4, 2)):
        chart = learning_curves_chart('c', {'BP': [series(*values)]}, title='t', crop=crop,
                                      formatted='{:.1f}')
        low, high = chart.figure.axes[0].get_ylim()
        assert low < min(values[inside:]) and high > 92
    assert low > 50


def test_nothing_at_all_is_still_a_picture(tmp_path):
    chart = learning_curves_chart('none', {'BP': []}, title='Loss', formatted='{:.1f}', log=True)
    assert 'no values' in chart.alt
    chart.save_png(tmp_path / 'none.png')


def test_loss_has_a_logarithmic_axis_with_plain_numbers():
    losses = tuple(float(value) for value in np.geomspace(2, 0.01, 20))
    chart = learning_curves_chart('l', {'BP': [series(*losses)]}, title='t', log=True,
                                  formatted='{:.3f}')
    axes = chart.figure.axes[0]
    assert axes.get_yscale() == 'log'
    assert {'0.1', '1'} <= {tick.get_text() for tick in axes.get_yticklabels()}
