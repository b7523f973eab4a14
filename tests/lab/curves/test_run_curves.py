import json
from pathlib import Path

import pytest

from auglocal_mm.lab.curves.curves import Curves, Series
from auglocal_mm.lab.curves.run_curves import (
    choose_metric,
    parse_runs,
    read_runs,
    run_curves_chart,
)


def run(tmp_path, name, *, epochs=True, metric='accuracy/top1', value=50.0):
    folder = tmp_path / name / '20260101_000000' / 'vis_data'
    folder.mkdir(parents=True)
    entries = []
    for epoch in (1, 2):
        entries.append({'loss': 1 / epoch, 'step': 10 * epoch, **({'epoch': epoch} if epochs
                                                                 else {})})
        entries.append({metric: value * epoch, 'step': epoch})
    (folder / 'scalars.json').write_text('\n'.join(map(json.dumps, entries)))
    return str(tmp_path / name)


def test_runs_are_named_by_folder_name_or_label(tmp_path):
    one, two = run(tmp_path, 'one'), run(tmp_path, 'lr=0.1')
    assert parse_runs([one, two]) == {'one': [Path(one)], 'lr=0.1': [Path(two)]}
    assert parse_runs([one, two], ['BP', 'DGL']) == {'BP': [Path(one)], 'DGL': [Path(two)]}
    assert parse_runs([f'AugLocal d = 2={one},{two}', f'BP={two}']) == {
        'AugLocal d = 2': [Path(one), Path(two)], 'BP': [Path(two)]}
    assert parse_runs(['BP=missing']) == {'BP': [Path('missing')]}
    with pytest.raises(ValueError, match='must name each of the 2 entries, got 1'):
        parse_runs([one, two], ['BP'])
    with pytest.raises(ValueError, match="'one' is used twice; join seeds as one=RUN,RUN"):
        parse_runs([one, one])


def test_missing_runs_and_mixed_axes_are_said(tmp_path):
    with pytest.raises(FileNotFoundError, match='train there first'):
        read_runs({'BP': [tmp_path]})
    curves = {'a': [Path(run(tmp_path, 'a'))], 'b': [Path(run(tmp_path, 'b', epochs=False))]}
    with pytest.raises(ValueError, match='without epochs: b'):
        read_runs(curves)


def test_both_panels_share_the_epochs(tmp_path):
    curves = read_runs({'BP': [Path(run(tmp_path, 'a')), Path(run(tmp_path, 'b', value=40.0))]})
    chart = run_curves_chart(curves)
    loss, accuracy = chart.figure.axes
    assert loss.get_yscale() == 'log' and accuracy.get_yscale() == 'linear'
    assert list(loss.lines[0].get_xdata()) == [1, 2] == list(accuracy.lines[0].get_xdata())
    assert chart.alt.endswith('Top-1 accuracy (%) by epoch; at the end BP 90.0 (mean of 2).')


def test_iteration_based_runs_have_iterations(tmp_path):
    curves = read_runs({'DETR': [Path(run(tmp_path, 'a', epochs=False, metric='coco/bbox_mAP',
                                          value=0.2))]})
    chart = run_curves_chart(curves)
    assert 'Box AP by iteration; at the end DETR 0.400' in chart.alt
    assert list(chart.figure.axes[0].lines[0].get_xdata()) == [10, 20]


def test_the_metric_is_the_familiar_one_or_what_was_asked_for():
    curves = [Curves(val={'aaa': Series(), 'coco/bbox_mAP': Series()})]
    assert choose_metric(curves) == 'coco/bbox_mAP'
    assert choose_metric(curves, 'aaa') == 'aaa' and choose_metric([Curves()]) is None
    with pytest.raises(ValueError, match="no run has the metric 'b'; there are: aaa, coco"):
        choose_metric(curves, 'b')
