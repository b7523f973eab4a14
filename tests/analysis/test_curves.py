import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auglocal_mm.analysis.curves import Curves, Series, find_scalars, parse_curves, read_curves

TEXT = '\n'.join([
    '{"lr": 0.1, "data_time": 0.01, "loss": 2.5, "time": 0.2, "epoch": 1, "iter": 10, '
    '"memory": 0, "step": 10}',
    '{"local/loss/stem": 2.6, "local/accuracy/stem": 11.0, "step": 10}',
    '{"accuracy/top1": 31.25, "data_time": 0.02, "time": 0.1, "step": 1}',
    '{"lr": 0.1, "loss": 1.5, "step": 20}',
    '{"coco/bbox_mAP": NaN, "accuracy/top1": 42.0, "step": 2}',
]) + '\n'


def test_sorts_lines_into_kinds():
    curves = parse_curves(TEXT)
    assert curves.train == {'lr': Series((10, 20), (0.1, 0.1)),
                            'loss': Series((10, 20), (2.5, 1.5))}
    assert curves.val == {'accuracy/top1': Series((1, 2), (31.25, 42.0))}
    assert curves.local == {'local/loss/stem': Series((10,), (2.6,)),
                            'local/accuracy/stem': Series((10,), (11.0,))}
    assert curves.train['loss'].last == 1.5


@given(st.integers(0, len(TEXT)))
def test_any_prefix_of_a_growing_file_can_be_read(end):
    parse_curves(TEXT[:end])


def test_names_a_broken_line():
    with pytest.raises(ValueError, match='line 2 must be a JSON object'):
        parse_curves('{"loss": 1, "step": 1}\nnonsense\n{"loss": 1, "step": 2}\n')


@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats(allow_nan=False,
                                                          allow_infinity=False))))
def test_round_trip(points):
    series = Series(tuple(s for s, _ in points), tuple(v for _, v in points))
    curves = Curves(train={'loss': series})
    assert Curves.from_dict(json.loads(json.dumps(curves.to_dict()))) == curves


def test_takes_the_newest_run(tmp_path):
    for stamp, loss in (('20260101_000000', 1.0), ('20260102_000000', 2.0)):
        folder = tmp_path / stamp / 'vis_data'
        folder.mkdir(parents=True)
        (folder / 'scalars.json').write_text(json.dumps({'loss': loss, 'step': 1}) + '\n')
    assert read_curves(tmp_path).train['loss'].last == 2.0


def test_says_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match='train there first'):
        find_scalars(tmp_path)


def test_an_empty_series_has_no_last_value():
    with pytest.raises(ValueError, match='at least 1 value'):
        Series().last  # noqa: B018
