"""Before a run: downloads happen once, and no unverified pickle is opened."""
import os
import pickle
import subprocess
import sys

import pytest
from file_server import archive_source, serving
from mmengine.config import Config

from auglocal_mm.datasets import DataError
from auglocal_mm.datasets.preparation import SOURCES
from auglocal_mm.datasets.provision import provide_data
from auglocal_mm.engine.launch import build_runner, load_config

CONFIG = 'configs/bp/resnet32_cifar10.py'
BATCHES = [file.path for file in SOURCES['cifar10'].files]


class Malicious:
    """Leaves a mark in the working folder when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ('executed',)


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """A working folder whose CIFAR-10 is all malicious."""
    monkeypatch.chdir(tmp_path)
    for name in BATCHES:
        path = tmp_path / 'data/cifar10' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(Malicious()))
    return tmp_path


def test_the_planted_pickle_works_where_it_is_opened(planted):
    pickle.loads((planted / 'data/cifar10' / BATCHES[0]).read_bytes())
    assert (planted / 'executed').exists()


@pytest.mark.parametrize('download', [True, False])
@pytest.mark.parametrize('kind', ['CIFAR10', 'mmpretrain.CIFAR10', 'mmpretrain.datasets.CIFAR10'])
def test_a_malicious_batch_is_refused_before_it_is_opened(root, planted, download, kind):
    cfg = load_config(str(root / CONFIG), cfg_options={
        f'{split}_dataloader.dataset.{key}': value for split in ('train', 'val')
        for key, value in (('download', download), ('type', kind))})
    with pytest.raises(DataError, match=r'(?s)data is damaged.*data_batch_1 has md5.*'
                                        r'prepare\.py cifar10'):
        build_runner(cfg, splits=('train', 'val'))
    assert not (planted / 'executed').exists()
    assert not (planted / 'work_dirs').exists()


def test_one_batch_of_many_is_enough_to_refuse(planted):
    for name in BATCHES[1:]:
        (planted / 'data/cifar10' / name).unlink()
    cfg = Config(dict(val_dataloader=dict(dataset=dict(type='RepeatDataset', times=2, dataset=dict(
        type='CIFAR10', data_root='data/cifar10', split='test')))))
    with pytest.raises(DataError, match='data_batch_1 has md5'):
        provide_data(cfg)
    assert not (planted / 'executed').exists()


@pytest.mark.slow
def test_the_tool_refuses_it_in_a_few_lines(root, planted):
    done = subprocess.run(
        [sys.executable, str(root / 'tools/train.py'), str(root / CONFIG)],
        cwd=planted, text=True, capture_output=True, timeout=300, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith('error: data is damaged')
    assert 'Traceback' not in done.stderr
    assert not (planted / 'executed').exists()


@pytest.mark.parametrize('setting', [dict(type='CustomDataset', ann_file='meta/train.pkl'),
                                     dict(type='mmdet.CocoDataset', proposal_file='p.pickle')])
def test_annotations_that_are_pickles_are_refused(setting):
    with pytest.raises(DataError, match=f'of {setting["type"].rpartition(".")[2]} is a pickle'):
        provide_data(Config(dict(train_dataloader=dict(dataset=setting))))


def test_missing_data_is_downloaded_once_for_all_dataloaders(tmp_path):
    files = {'batches/train': b'1', 'batches/test': b'2'}
    loaders = {f'{split}_dataloader': dict(dataset=dict(
        type='CIFAR10', data_root=str(tmp_path), split=split)) for split in ('train', 'test')}
    with serving() as server:
        sources = {'cifar10': archive_source(server, files, files)}
        provide_data(Config(loaders), sources=sources)
        provide_data(Config(loaders), sources=sources)
        assert len(server.ranges) == 1
    assert (tmp_path / 'batches/train').read_bytes() == b'1'


def test_classes_themselves_may_be_types(planted):
    from mmpretrain.datasets import CIFAR10
    with pytest.raises(DataError, match='data is damaged'):
        provide_data(dict(train_dataloader=dict(dataset=dict(
            type=CIFAR10, data_root='data/cifar10'))))


def test_remote_data_is_left_to_its_data_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    provide_data(Config(dict(train_dataloader=dict(dataset=dict(
        type='CIFAR10', data_root='s3://bucket/cifar10')))))
    assert not list(tmp_path.iterdir())


def test_what_may_not_be_downloaded_is_not(tmp_path):
    with serving() as server:
        provide_data(Config(dict(train_dataloader=dict(dataset=dict(
            type='CIFAR10', data_root=str(tmp_path), download=False)))),
            sources={'cifar10': archive_source(server, {'a': b'1'}, {'a': b'1'})})
        assert server.ranges == []
