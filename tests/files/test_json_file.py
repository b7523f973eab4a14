"""JSON files hold what was written, or the old content; reading says what is wrong with one."""
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglocal_mm.files import FileError, read_json, read_json_list, write_json

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec='utf-8')),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec='utf-8')), inner),
    max_leaves=8)


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.text(st.characters(codec='utf-8')), values))
def test_reading_returns_what_was_written(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / 'round_trip.json'
    write_json(content, path)
    assert read_json(path) == content
    write_json([content], path)
    assert read_json_list(path) == [content]


def test_json_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / 'folder' / 'results.json'
    write_json({'good': 1.5}, path)
    with pytest.raises(ValueError, match='not JSON compliant'):
        write_json({'bad': float('nan')}, path)
    assert path.read_text() == '{\n  "good": 1.5\n}\n'
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(('content', 'said'), [
    (b'{"a": ', 'cannot be read: Expecting value.*; replace it'),
    (b'', 'cannot be read: Expecting value.*; replace it'),
    (b'\xff\xfe', "cannot be read: 'utf-8' codec.*; replace it"),
    (b'3', 'must hold a JSON .*, got int'),
], ids=['cut', 'empty', 'binary', 'a number'])
@pytest.mark.parametrize('read', [read_json, read_json_list])
def test_what_is_no_json_file_is_told_in_a_line_that_names_it(read, content, said, tmp_path):
    path = tmp_path / 'x.json'
    path.write_bytes(content)
    with pytest.raises(FileError, match=rf'x\.json {said}') as refused:
        read(path)
    assert '\n' not in str(refused.value)


def test_an_object_is_no_list_and_a_list_no_object(tmp_path):
    path = tmp_path / 'x.json'
    path.write_text(json.dumps([]))
    with pytest.raises(FileError, match='must hold a JSON object, got list'):
        read_json(path)
    path.write_text(json.dumps({}))
    with pytest.raises(FileError, match='must hold a JSON list, got dict'):
        read_json_list(path)


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / 'x.json')
