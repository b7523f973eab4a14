import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auglocal_mm.lab.curves.curves import Curves, Series, find_scalars, parse_curves, read_curves

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


def write_starts(work_dir, *starts):
    for number, entries in enumerate(starts):
        folder = work_dir / f'2026010{number}_000000' / 'vis_data'
        folder.mkdir(parents=True)
        (folder / 'scalars.json').write_text(''.join(json.dumps(e) + '\n' for e in entries))


def entries_of(epochs, *, length=7, interval=3, loss=1.0, hook=True, last=None):
    """What mmengine and our hook write of these epochs, up to iteration `last`."""
    for epoch in epochs:
        for inner in range(1, length + 1):
            step = (epoch - 1) * length + inner
            if last is not None and step > last:
                return
            if hook and (inner % interval == 0 or inner == length):
                yield {'local/loss/stem': 1.0, 'step': step}
            if inner % interval == 0:
                yield {'loss': loss, 'lr': 0.1, 'epoch': epoch, 'iter': step, 'step': step}
        yield {'accuracy/top1': 10.0 * epoch * loss, 'step': epoch}


def test_a_resumed_run_reads_like_one_that_was_not_interrupted(tmp_path):
    whole = list(entries_of(range(1, 6)))
    write_starts(tmp_path, list(entries_of(range(1, 4), last=17)), list(entries_of(range(3, 5))),
                 list(entries_of(range(5, 6))))
    assert read_curves(tmp_path) == parse_curves(
        ''.join(json.dumps(entry) + '\n' for entry in whole))


def test_what_was_repeated_wins(tmp_path):
    write_starts(tmp_path, list(entries_of(range(1, 4), loss=1.0)),
                 list(entries_of(range(2, 3), loss=2.0)))
    curves = read_curves(tmp_path)
    assert curves.train['loss'] == Series((3, 6, 10, 13), (1.0, 1.0, 2.0, 2.0))
    assert curves.val['accuracy/top1'] == Series((1, 2), (10.0, 40.0))


def test_a_new_run_in_a_used_folder_stands_alone(tmp_path):
    fresh = list(entries_of(range(1, 3), length=5))
    write_starts(tmp_path, list(entries_of(range(1, 9))), fresh)
    assert read_curves(tmp_path) == parse_curves(''.join(json.dumps(e) + '\n' for e in fresh))


@given(st.integers(1, 60), st.integers(1, 25), st.integers(1, 100), st.booleans())
def test_the_length_of_an_epoch_is_told_by_the_log(length, epochs, interval, hook):
    entries = list(entries_of(range(1, epochs + 1), length=length, interval=interval, hook=hook))
    found = parse_curves('\n'.join(map(json.dumps, entries))).iterations_per_epoch
    if not any('loss' in entry for entry in entries):
        assert found is None
    elif hook or epochs > interval:
        assert found == length
    else:
        assert found <= length


def test_steps_become_epochs():
    assert Series((5, 10), (1.0, 2.0)).every(10) == Series((0.5, 1.0), (1.0, 2.0))
    assert Series((5, 10), (1.0, 2.0)).every(None) == Series((5, 10), (1.0, 2.0))


def test_names_the_broken_file(tmp_path):
    write_starts(tmp_path, [{'loss': 1, 'step': 1}])
    path = next(tmp_path.rglob('scalars.json'))
    path.write_text('nonsense\n')
    with pytest.raises(ValueError, match='scalars.json: line 1 must be'):
        read_curves(tmp_path)


def test_says_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match='train there first'):
        find_scalars(tmp_path)


def test_an_empty_series_has_no_last_value():
    with pytest.raises(ValueError, match='at least 1 value'):
        Series().last  # noqa: B018
