"""The walk over a config finds every dict, and every data set inside wrappers."""
import functools

from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import ConfigDict

from auglocal_mm.config.walk import datasets_in, dicts_in

KEYS = st.text('abc', min_size=1, max_size=2)
TREES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(KEYS, inner, max_size=3) | st.lists(inner, max_size=3)
    | st.lists(inner, max_size=3).map(tuple), max_leaves=12)


def look_up(node, dotted):
    keys = dotted.split('.') if dotted else []
    return functools.reduce(
        lambda part, key: part[key] if isinstance(part, dict) else part[int(key)], keys, node)


def count(node):
    if isinstance(node, dict):
        return 1 + sum(map(count, node.values()))
    return sum(map(count, node)) if isinstance(node, (list, tuple)) else 0


@given(TREES)
def test_every_dict_is_found_once_and_where_its_key_says(tree):
    found = list(dicts_in(tree))
    assert len(found) == len({place for place, _ in found}) == count(tree)
    assert all(look_up(tree, place) is part for place, part in found)
    # Outer ones first.
    places = [place for place, _ in found]
    assert all(place.rpartition('.')[0] not in places[index:] for index, place in enumerate(places)
               if '.' in place)


def test_a_part_of_a_config_begins_with_its_own_key():
    model = ConfigDict(head=dict(losses=[dict(type='a'), (dict(type='b'),)]), sizes={1, 2})
    assert [place for place, _ in dicts_in(model, 'model')] == [
        'model', 'model.head', 'model.head.losses.0', 'model.head.losses.1.0']


def test_data_sets_inside_wrappers():
    first, second = dict(type='A'), dict(type='B', datasets=None)
    wrapped = dict(type='Repeat', dataset=dict(type='Concat', datasets=[
        first, dict(type='Repeat', dataset=second), 'no data set']))
    assert list(datasets_in(wrapped, 'x')) == [
        ('x.dataset.datasets.0', first), ('x.dataset.datasets.1.dataset', second)]
    assert not list(datasets_in(None, 'x'))
