"""The preset's rows are the paper's; configs get names that tell them apart."""
import pytest

from auglocal_mm.config.shipped import shipped
from auglocal_mm.lab.measure.benchmark import (
    TABLE2,
    Entry,
    Settings,
    config_entries,
    table2_entries,
)
from auglocal_mm.lab.measure.benchmark.entry import method_of
from auglocal_mm.lab.measure.benchmark.subject import config_of


def test_the_preset_is_table_2():
    entries = table2_entries()
    assert [entry.name for entry in entries] == [
        'bp', 'checkpoint', 'predsim', 'dgl', 'infopro',
        'auglocal-d2', 'auglocal-d3', 'auglocal-d4', 'auglocal-d5', 'auglocal-d6']
    for entry in entries:
        model = config_of(entry, Settings()).model
        method, _, depth = entry.name.partition('-d')
        assert method_of(model) == method
        assert model.backbone.depth == 110
        assert model.local.get('depth') == (int(depth) if depth else None)
        # Without it decoders would not know how images were normalised.
        assert model.data_preprocessor.std == [63.0, 62.1, 66.7]


def test_a_rows_own_settings_win_over_the_users():
    settings = Settings(options={'model.local.depth': 5, 'model.local.tau': 0.0})
    local = config_of(table2_entries(['auglocal-d3'])[0], settings).model.local
    assert (local.depth, local.tau) == (3, 0.0)


@pytest.mark.parametrize(('only', 'said'), [(['bp', 'augloc'], 'got augloc; there are bp, check'),
                                            ([], 'got none')])
def test_only_rows_that_there_are(only, said):
    with pytest.raises(ValueError, match=said):
        table2_entries(only)
    assert [entry.name for entry in table2_entries(['dgl', 'bp'])] == ['bp', 'dgl']


def test_names_of_configs(tmp_path):
    assert [entry.name for entry in config_entries(['configs/bp/x.py', 'configs/dgl/x.py'])] == [
        'bp/x', 'dgl/x']
    same = ['a/bp/x.py', 'b/bp/x.py']
    assert [entry.name for entry in config_entries(same)] == same
    with pytest.raises(ValueError, match='given once, got a/bp/x.py again'):
        config_entries(['a/bp/x.py', 'a/bp/x.py'])


def test_shipped_configs():
    assert all(shipped(f'configs/{folder}/resnet110_cifar10.py').is_file()
               for folder, _, _ in TABLE2.values())
    with pytest.raises(FileNotFoundError, match=r'no configs/bp/absent.py in .*\.mim or '):
        shipped('configs/bp/absent.py')


@pytest.mark.parametrize(('model', 'method'), [
    ({'type': 'ImageClassifier'}, 'bp'),
    ({'type': 'ImageClassifier', 'backbone': {'with_cp': True}}, 'checkpoint'),
    ({'local': {'type': 'auglocal_mm.InfoPro'}, 'backbone': {'with_cp': True}}, 'infopro'),
    ({'local': {'type': 'my_project.Rule'}}, None)])
def test_methods(model, method):
    assert method_of(model) == method


@pytest.mark.parametrize(('config', 'said'), [
    ('configs/mask_rcnn/mask-rcnn_r34_bp_fpn_adamw_1x_coco.py', "model.type='MaskRCNN'"),
    ('configs/_base_/models/resnet110_cifar.py', 'has no optim_wrapper')])
def test_configs_that_cannot_be_measured(root, config, said):
    with pytest.raises(ValueError, match=said):
        config_of(Entry('x', str(root / config)), Settings())


def test_impossible_settings_are_told_at_once():
    with pytest.raises(ValueError, match='the benchmark') as caught:
        Settings(batch_size=0, rounds=0, warmup=-1, threads=0, device='tpu')
    for said in ('--batch-size must be at least 1, got 0', '--rounds', '--warmup must be at least '
                 '0, got -1', '--threads', "got 'tpu'"):
        assert said in str(caught.value)
