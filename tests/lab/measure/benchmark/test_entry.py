"""The preset's rows are the paper's; configs get names that tell them apart."""
from itertools import pairwise

import pytest

from auglocal_mm.config.shipped import shipped
from auglocal_mm.config.walk import dicts_in
from auglocal_mm.lab.measure.benchmark import (
    Entry,
    Settings,
    config_entries,
    preset_entries,
)
from auglocal_mm.lab.measure.benchmark.entry import method_of
from auglocal_mm.lab.measure.benchmark.model_kind import kind_of
from auglocal_mm.lab.measure.benchmark.presets import LABELS, TABLE2
from auglocal_mm.lab.measure.benchmark.rivals import MICRO_BATCHES, RIVALS
from auglocal_mm.lab.measure.benchmark.subject import config_of
from auglocal_mm.models.local_detector import DEFAULT_LOSS


def test_the_preset_is_table_2():
    entries = preset_entries('table2')
    assert [entry.name for entry in entries] == [
        'bp', 'checkpoint', 'predsim', 'dgl', 'infopro',
        'auglocal-d2', 'auglocal-d3', 'auglocal-d4', 'auglocal-d5', 'auglocal-d6',
        'bp-selective', 'bp-accumulate', 'bp-step', 'auglocal-d2-step', 'auglocal-d2-recompute',
        'auglocal-d2-both', 'auglocal-k2', 'auglocal-k4']
    for entry in entries[:10]:
        model = config_of(entry, Settings()).model
        method, _, depth = entry.name.partition('-d')
        assert method_of(model) == method and entry.paper and entry.rival is None
        assert model.backbone.depth == 110
        assert model.local.get('depth') == (int(depth) if depth else None)
        # Without it decoders would not know how images were normalised.
        assert model.data_preprocessor.std == [63.0, 62.1, 66.7]


def test_the_other_ways_to_save_memory():
    entries = preset_entries('table2')[10:]
    cfgs = {entry.name: config_of(entry, Settings()) for entry in entries}
    rivals = {entry.name: entry.rival for entry in entries if entry.rival}
    assert list(rivals) == ['bp-selective', 'bp-accumulate', 'bp-step']
    assert set(rivals.items()) <= set(zip(RIVALS, RIVALS, strict=True))
    assert all(entry.paper is None for entry in entries)
    for name, cfg in cfgs.items():
        plain = name in rivals
        assert method_of(cfg.model) == ('bp' if plain else 'auglocal')
        assert cfg.model.local.get('depth') == (None if plain else 2)
        assert cfg.model.local.get('modules') == {'auglocal-k2': 2, 'auglocal-k4': 4}.get(name)
        assert cfg.model.local.get('balance') == ('memory' if '-k' in name else None)
        both = name == 'auglocal-d2-both'
        assert cfg.model.get('recompute', False) is (both or name == 'auglocal-d2-recompute')
        assert cfg.optim_wrapper.get('step_per_module', False) is (
            both or name == 'auglocal-d2-step')
    assert cfgs['bp-accumulate'].optim_wrapper.accumulative_counts == MICRO_BATCHES
    assert set(LABELS) == set(TABLE2)


def test_a_rows_own_settings_win_over_the_users():
    settings = Settings(options={'model.local.depth': 5, 'model.local.tau': 0.0})
    local = config_of(preset_entries('table2', ['auglocal-d3'])[0], settings).model.local
    assert (local.depth, local.tau) == (3, 0.0)


@pytest.mark.parametrize(('only', 'said'), [(['bp', 'augloc'], 'got augloc; there are bp, check'),
                                            ([], 'got none')])
def test_only_rows_that_there_are(only, said):
    with pytest.raises(ValueError, match=said):
        preset_entries('table2', only)
    assert [entry.name for entry in preset_entries('table2', ['dgl', 'bp'])] == ['bp', 'dgl']


def test_names_of_configs(tmp_path):
    assert [entry.name for entry in config_entries(['configs/bp/x.py', 'configs/dgl/x.py'])] == [
        'bp/x', 'dgl/x']
    same = ['a/bp/x.py', 'b/bp/x.py']
    assert [entry.name for entry in config_entries(same)] == same
    with pytest.raises(ValueError, match='given once, got a/bp/x.py again'):
        config_entries(['a/bp/x.py', 'a/bp/x.py'])


def test_shipped_configs():
    with pytest.raises(FileNotFoundError, match=r'no configs/bp/absent.py in .*\.mim or '):
        shipped('configs/bp/absent.py')


@pytest.mark.parametrize('preset', ['mask-rcnn', 'mask-rcnn-r34'])
def test_every_way_of_training_mask_rcnn(preset):
    entries = {entry.name: entry for entry in preset_entries(preset)}
    options = [entry.options for name, entry in entries.items() if name.startswith('k')]
    assert [entries[f'k{modules}'].options['model.local.modules'] for modules in (2, 3, 4)] == [
        2, 3, 4]
    # The rows that name none have the default, a pair of these.
    losses = [each['model.local_loss'] for each in options if 'model.local_loss' in each]
    assert losses == ['detection', 'segmentation', 'image_level', 'reconstruction']
    assert set(DEFAULT_LOSS) < set(losses)
    assert [each['model.recompute'] for each in options if 'model.recompute' in each] == [
        ['last'], ['auxiliary'], ['last', 'auxiliary'], True]


@pytest.mark.parametrize('preset', ['cuts-r34', 'cuts-r101', 'cuts-swin', 'cuts-vit', 'mask-rcnn',
                                    'mask-rcnn-r34'])
def test_rows_of_cuts_say_what_is_even(preset):
    """Whatever the config itself says."""
    entries = {entry.name: entry.options for entry in preset_entries(preset)}
    for modules in (2, 3, 4):
        for name, balance in ((f'k{modules}', 'units'), (f'k{modules}-memory', 'memory')):
            options = entries[name]
            assert options['model.local.modules'] == modules
            assert options['model.local.balance'] == balance
    assert all('model.local.balance' in options for name, options in entries.items()
               if name.startswith('k'))


def test_each_line_that_makes_a_step_faster_is_added_to_those_before():
    entries = preset_entries('faster')
    for start, depth in ((0, {'model.local.depth': 2}), (4, {})):
        rows = [entry.options for entry in entries[start:start + 4]]
        assert rows[0] == depth
        for before, after in pairwise(rows):
            assert before.items() < after.items()
    assert [entry.name for entry in entries[4:]] == ['bp', 'bp-layout', 'bp-reuse', 'bp-bfloat16']


@pytest.mark.parametrize(('preset', 'name', 'method'), [
    ('cuts-vit', 'bp', 'bp'), ('cuts-vit', 'k2', 'auglocal'), ('cuts-swin', 'k4', 'auglocal')])
def test_transformers_of_the_host_are_measured_without_mixed_images(preset, name, method):
    cfg = config_of(preset_entries(preset, [name])[0], Settings())
    assert method_of(cfg.model) == method
    assert not cfg.model.train_cfg
    assert kind_of(cfg, name).shape(cfg, None) == (224, 224)


@pytest.mark.parametrize(('preset', 'name', 'method'), [
    ('mask-rcnn', 'checkpoint', 'checkpoint'), ('mask-rcnn', 'k4', 'auglocal'),
    ('mask-rcnn-r34', 'bp', 'bp'), ('mask-rcnn-r34', 'k2', 'auglocal')])
def test_mask_rcnn_starts_from_no_file_and_sees_images_of_cocos_size(preset, name, method):
    cfg = config_of(preset_entries(preset, [name])[0], Settings())
    assert method_of(cfg.model) == method
    assert kind_of(cfg, name).shape(cfg, None) == (800, 1344)
    assert 'Pretrained' not in {part.get('type') for _, part in dicts_in(cfg.model)}


@pytest.mark.parametrize(('model', 'method'), [
    ({'type': 'ImageClassifier'}, 'bp'),
    ({'type': 'ImageClassifier', 'backbone': {'with_cp': True}}, 'checkpoint'),
    ({'detector': {'type': 'MaskRCNN', 'backbone': {'with_cp': True}}}, 'checkpoint'),
    ({'local': {'type': 'auglocal_mm.InfoPro'}, 'backbone': {'with_cp': True}}, 'infopro'),
    ({'local': {'type': 'my_project.Rule'}}, None)])
def test_methods(model, method):
    assert method_of(model) == method


@pytest.mark.parametrize(('config', 'said'), [
    ('configs/bp/resnet32_cifar10.py', "a classifier or a detector to be .* got model.type='X'"),
    ('configs/_base_/models/resnet110_cifar.py', 'has no optim_wrapper')])
def test_configs_that_cannot_be_measured(root, config, said):
    with pytest.raises(ValueError, match=said):
        config_of(Entry('x', str(root / config), {'model.type': 'X'}), Settings())


def test_impossible_settings_are_told_at_once():
    with pytest.raises(ValueError, match='the benchmark') as caught:
        Settings(batch_size=0, rounds=0, warmup=-1, threads=0, device='tpu')
    for said in ('--batch-size must be at least 1, got 0', '--rounds', '--warmup must be at least '
                 '0, got -1', '--threads', "got 'tpu'"):
        assert said in str(caught.value)
