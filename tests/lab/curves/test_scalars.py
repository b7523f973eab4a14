"""A growing file is read to its last whole line, and each row once."""
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglocal_mm.lab.curves.scalars import NewRows, kind_of, parse_rows, scalars_of

ROWS = [{'loss': 2.5, 'lr': 0.1, 'epoch': 1, 'step': 10}, {'name': 'ä · \u2028 "\\'},
        {'accuracy/top1': 31.25, 'step': 1}, {'loss': 1e-9, 'step': 20}]
DATA = ''.join(json.dumps(row, ensure_ascii=False) + '\n' for row in ROWS).encode()


@settings(max_examples=30)
@given(st.lists(st.integers(0, len(DATA)), max_size=8))
def test_rows_of_a_growing_file_come_once_and_whole(tmp_path_factory, ends):
    path = tmp_path_factory.getbasetemp() / 'growing.json'
    path.write_bytes(b'')
    rows, seen = NewRows(path), []
    for end in [*sorted(ends), len(DATA)]:
        path.write_bytes(DATA[:end])
        seen += rows.read()
        assert seen == ROWS[:DATA[:end].count(b'\n')]
    assert rows.read() == []


def test_a_watched_file_may_hold_a_damaged_line(tmp_path):
    path = tmp_path / 'scalars.json'
    path.write_text('nonsense\n\n[1]\n"text"\n{"loss": NaN}\n{"loss": 1, "st')
    seen, = NewRows(path).read()
    assert str(seen) == "{'loss': nan}"


def test_a_watched_file_may_vanish(tmp_path):
    assert NewRows(tmp_path / 'scalars.json').read() == []


def test_a_file_that_is_read_whole_may_not():
    with pytest.raises(ValueError, match='line 2 must be a JSON object, got \'nonsense\''):
        list(parse_rows('{"loss": 1}\nnonsense\n'))


@pytest.mark.parametrize(('row', 'kind'), [
    ({'loss': 1.0, 'accuracy/top1': 3.0}, 'train'), ({'lr': 0.1}, 'train'),
    ({'local/loss/stem': 1.0}, 'local'), ({'accuracy/top1': 3.0, 'step': 1}, 'val')])
def test_kinds(row, kind):
    assert kind_of(row) == kind


def test_starts_are_found_oldest_first(tmp_path):
    assert scalars_of(tmp_path / 'none') == []
    names = ['20261231_235959', '20270101_000000', '20260101_000000']
    for name in names:
        (tmp_path / name / 'vis_data').mkdir(parents=True)
        (tmp_path / name / 'vis_data' / 'scalars.json').touch()
    (tmp_path / '20280101_000000').mkdir()
    assert [path.parts[-3] for path in scalars_of(tmp_path)] == sorted(names)
