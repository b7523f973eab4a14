"""Whatever a run puts into its checkpoint is read back by the safe reader."""
import datetime
from collections import Counter, OrderedDict, defaultdict, deque
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from auglocal_mm.checkpoints import read_checkpoint
from auglocal_mm.checkpoints.plain import plain

CASES = [
    (np.str_('cat'), 'cat'),
    (np.array(['cat', 'dog']), ['cat', 'dog']),
    (np.array('cat'), 'cat'),
    (np.array(['cat', 3, None], dtype=object), ['cat', 3, None]),
    (np.array([b'cat']), [b'cat']),
    (np.array(['2024-01-31'], dtype='M8[D]'), ['2024-01-31']),
    (Path('a') / 'b', 'a/b'),
    (range(3), [0, 1, 2]),
    (deque([1, np.str_('a')]), [1, 'a']),
    (defaultdict(list, {'a': [1]}), {'a': [1]}),
    (defaultdict(lambda: 1, {np.str_('a'): Path('b')}), {'a': 'b'}),
    (Counter('aab'), Counter('aab')),
    (OrderedDict(a=1), OrderedDict(a=1)),
    (frozenset({1}), {1}),
    ({('a', np.int64(1)): 2}, {('a', 1): 2}),
    (datetime.date(2024, 1, 31), '2024-01-31'),
    (datetime.datetime(2024, 1, 31, 12), '2024-01-31T12:00:00'),
    (datetime.timedelta(minutes=1), 60.0),
    (Path, 'pathlib.Path'),
    (float('inf'), float('inf')),
    (b'a', b'a'),
    (2j, 2j),
]


def written_and_read(value, folder, faults):
    path = folder / 'x.pth'
    torch.save({'state_dict': {'a': torch.zeros(1)}, 'meta': {'x': plain(value, 'x', faults)}},
               path)
    return read_checkpoint(path)['meta']['x']


@pytest.mark.parametrize(('value', 'expected'), CASES, ids=lambda value: type(value).__name__)
def test_a_value_comes_back_as_its_plain_equivalent(value, expected, tmp_path):
    faults = []
    read = written_and_read(value, tmp_path, faults)
    assert read == expected and type(read) is type(expected) and not faults


@pytest.mark.parametrize('dtype', ['?', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'f2', 'f4',
                                   'f8', 'c8', 'c16', '>i4', '>f8', 'longdouble'])
def test_numbers_of_every_dtype_come_back(dtype, tmp_path):
    for value in (np.array([[0, 1], [1, 0]], dtype=dtype), np.array([1], dtype=dtype)[0]):
        read = written_and_read(value, tmp_path, [])
        assert np.array_equal(read, value) and np.shape(read) == np.shape(value)


def test_what_has_no_equivalent_is_named_and_leaves_its_text(tmp_path):
    faults = []
    read = written_and_read({'a': [object()], 'b': 1}, tmp_path, faults)
    assert read['b'] == 1 and read['a'][0].startswith('<object')
    assert faults == ['x.a.0 is a builtins.object']
    loop = []
    loop.append(loop)
    plain(loop, 'x', faults)
    assert 'contains itself' in faults[-1]


leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5),
    st.binary(max_size=5), st.complex_numbers(allow_nan=False), st.dates(), st.times(),
    st.timedeltas(), st.builds(Path, st.just('a')), st.builds(range, st.integers(0, 3)),
    st.builds(np.str_, st.text(max_size=3)), st.sampled_from([
        np.array([1, 2], dtype=kind)
        for kind in ('i2', 'f2', 'u8', 'c8', 'M8[s]', 'm8[s]', 'O', 'U3', 'S2')]))
keys = st.one_of(st.text(max_size=3), st.integers(), st.booleans(), st.none(),
                 st.builds(np.str_, st.text(max_size=3)), st.tuples(st.integers(), st.text()),
                 st.binary(max_size=2), st.dates())
anything = st.recursive(leaves, lambda inner: st.one_of(
    st.lists(inner, max_size=3), st.tuples(inner, inner), st.dictionaries(keys, inner, max_size=3),
    st.builds(deque, st.lists(inner, max_size=3)),
    st.builds(lambda items: defaultdict(list, items), st.dictionaries(keys, inner, max_size=2))))


def test_anything_comes_back(tmp_path):
    @settings(max_examples=40)
    @given(anything)
    def comes_back(value):
        written_and_read(value, tmp_path, [])
    comes_back()
