"""A config is refused at the door, or reads back from the run's checkpoint as it was."""
import datetime
import math
from collections import defaultdict, deque
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from digit_runs import config, train
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmpretrain.models import ResNet

from auglocal_mm.checkpoints import read_checkpoint
from auglocal_mm.checkpoints.literal_config import read_literal_config
from auglocal_mm.checkpoints.plain_config import recorded_text, require_plain_config, with_names


@pytest.mark.parametrize(('value', 'expected'), [
    (math.inf, math.inf), (-math.inf, -math.inf), ({'p': [math.inf]}, {'p': [math.inf]}),
    (Path('a/b'), 'a/b'), (np.array([1.5, 2]), [1.5, 2.0]), (np.array(['a']), ['a']),
    (np.float64(0.5), 0.5), (np.str_('a'), 'a'), (range(2), [0, 1]), (deque([1]), [1]),
    (datetime.date(2024, 1, 31), '2024-01-31'), (frozenset({1}), {1}), (set(), set()),
    ([Path('a'), (Path('b'),)], ['a', ('b',)]), ({'type': default_collate},
     {'type': 'mmengine.dataset.utils.default_collate'}),
    ({'type': ResNet, 'depth': 18}, {'type': 'mmpretrain.models.backbones.resnet.ResNet',
                                     'depth': 18}),
    (defaultdict(list, {'a': [1]}), {'a': [1]}), (b'a', b'a'), ({1: 2}, {1: 2}),
    ({'a.b': 1}, {'a.b': 1}), (int, 'int')])
def test_values_are_converted(value, expected):
    cfg = Config({'x': value})
    require_plain_config(cfg)
    assert read_literal_config(recorded_text(cfg)) == {'x': expected}


@pytest.mark.parametrize(('value', 'place'), [
    (lambda: 1, 'x'), ({'a': [0, {'b': object()}]}, 'x.a.1.b'), ({'f': math.sqrt}, 'x.f'),
    ({'a': partial(int)}, 'x.a'), ({'class': 1}, 'x.class'), ({"it's": 1}, "x.it's"),
    ({'a': {'from': 1}}, 'x.a.from'), ([{'b\\n': 1}], r'x.0.b\n')])
def test_what_a_dump_cannot_express_is_refused_by_its_key(value, place):
    cfg = Config({'x': value, 'y': 1})
    with pytest.raises(ValueError) as refused:
        require_plain_config(cfg)
    message = str(refused.value)
    assert message.startswith(f'{place} is ') and '\n' not in message


leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
    st.binary(max_size=4), st.complex_numbers(), st.dates(), st.builds(Path, st.text(max_size=3)),
    st.sampled_from([ResNet, int, default_collate, object(), range(3), set(), np.arange(2),
                     np.array(['a']), np.float32(2), lambda: 1, Path, ..., slice(1)]),
    st.builds(np.str_, st.text(max_size=3)))
values = st.recursive(leaves, lambda inner: st.one_of(
    st.lists(inner, max_size=3), st.tuples(inner), st.tuples(inner, inner),
    st.dictionaries(st.one_of(st.text(max_size=4), st.integers(), st.sampled_from(
        ['type', 'class', 'a.b', 'a-b', "'", 'None'])), inner, max_size=3)), max_leaves=6)


@settings(max_examples=60)
@given(values)
def test_any_value_is_refused_in_a_line_or_reads_back(value):
    try:
        cfg = Config({'x': value})
    except Exception:
        return  # mmengine itself does not take it.
    try:
        require_plain_config(cfg)
    except ValueError as refused:
        assert str(refused).startswith('x') and '\n' not in str(refused)
        return
    read, data = read_literal_config(recorded_text(cfg)), with_names(cfg.to_dict())
    assert repr(sort(read)) == repr(sort(data))


def sort(value):
    """Order the keys; NaN has no equal, but one text."""
    if isinstance(value, dict):
        return sorted(((repr(key), sort(part)) for key, part in value.items()),
                      key=lambda pair: pair[0])
    return type(value)(map(sort, value)) if isinstance(value, (list, tuple)) else value


def test_a_run_with_odd_values_leaves_a_checkpoint_that_our_reader_takes(tmp_path):
    cfg = config(tmp_path, epochs=1, **{
        'train_dataloader.dataset.metainfo': {
            'classes': np.array(list('0123456789')), 'root': Path('a'), 'made': deque([1]),
            'by': defaultdict(list), 'shares': np.ones(2, 'f2')}})
    cfg.note = {'limit': math.inf, 'folder': Path('a'), 'kind': ResNet}
    train(cfg)
    meta = read_checkpoint(tmp_path / 'epoch_1.pth')['meta']
    note = read_literal_config(meta['cfg'])['note']
    assert note == {'limit': math.inf, 'folder': 'a',
                    'kind': 'mmpretrain.models.backbones.resnet.ResNet'}
    assert list(meta['dataset_meta']['classes']) == list('0123456789')
    assert meta['dataset_meta']['shares'] == [1, 1]


def test_meta_information_that_no_checkpoint_holds_is_refused_before_the_first_step(tmp_path):
    cfg = config(tmp_path, epochs=1)
    cfg.train_dataloader.dataset = {'type': 'auglocal_mm.Digits', 'pipeline': [], 'metainfo': {
        'classes': [str(each) for each in range(10)]}}
    from auglocal_mm.engine.launch import build_runner
    runner = build_runner(cfg, splits=('train', 'val'))
    runner.train_dataloader.dataset._metainfo['odd'] = [object()]
    with pytest.raises(ValueError, match=r'^dataset_meta\.odd\.0 is a builtins\.object: '):
        runner.train()
    assert not list(tmp_path.glob('*.pth'))
