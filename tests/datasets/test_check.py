"""All missing data is reported at once, before anything is built."""
import pytest
from mmengine.config import Config

from auglocal_mm.datasets import MissingDataError, check_data
from auglocal_mm.datasets.check import SPLITS

COCO = dict(type='CocoDataset', data_root='data/coco', ann_file='annotations/train.json',
            data_prefix=dict(img='train2017/'))
IMAGENET = dict(type='ImageNet', data_root='data/imagenet', split='train')
CIFAR = dict(type='CIFAR10', data_root='data/cifar10', download=False)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def config(**datasets):
    return Config({f'{split}_dataloader': dict(dataset=dataset)
                   for split, dataset in datasets.items()})


def missing(cfg, **kwargs):
    with pytest.raises(MissingDataError) as caught:
        check_data(cfg, **kwargs)
    return caught.value


def paths(error, folder):
    return [str(entry.path.absolute().relative_to(folder)) for entry in error.missing]


def put(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('x')


@pytest.mark.parametrize(('dataset', 'expected'), [
    (IMAGENET, ['data/imagenet/train']),
    (dict(type='mmpretrain.ImageNet', data_root='d', data_prefix='images', split='val',
          ann_file='meta/val.txt'), ['d/images', 'd/meta/val.txt']),
    (dict(type='CustomDataset', data_root='d', data_prefix=dict(img_path='train')), ['d/train']),
    (CIFAR, [f'data/cifar10/cifar-10-batches-py/{name}' for name in
             [*(f'data_batch_{i}' for i in range(1, 6)), 'test_batch']]),
    (dict(type='CIFAR100', data_root='d', download=False),
     ['d/cifar-100-python/train', 'd/cifar-100-python/test']),
    (dict(type='auglocal_mm.SVHN', data_root='d', split='test', download=False),
     ['d/test_32x32.mat']),
    (dict(type='auglocal_mm.STL10', data_root='d', split='train', download=False),
     ['d/stl10_binary/train_X.bin', 'd/stl10_binary/train_y.bin']),
    (dict(type='auglocal_mm.ImageFolder', data_root='d', split='test'), ['d/test']),
    (COCO, ['data/coco/annotations/train.json', 'data/coco/train2017']),
    (dict(type='mmdet.CocoDataset', ann_file='a.json', data_prefix=dict(img='i')), ['a.json', 'i']),
])
def test_each_type_names_the_paths_it_reads(folder, dataset, expected):
    assert paths(missing(config(train=dataset)), folder) == expected


@pytest.mark.parametrize('dataset', [
    dict(type='CIFAR10', data_root='data/cifar10'),
    dict(type='auglocal_mm.Digits', split='train'),
    dict(type='auglocal_mm.SVHN', data_root='data/svhn'),
    dict(type='SomebodysDataset', data_root='nowhere'),
    dict(type='somebody.SVHN', data_root='nowhere', download=False),
    dict(type='CocoDataset', data_root='s3://bucket/coco', ann_file='a.json'),
    dict(COCO, backend_args=dict(backend='petrel')),
    dict(COCO, data_root='', ann_file='s3://b/a.json', data_prefix=dict(img='s3://b/i')),
])
def test_downloadable_remote_and_unknown_data_is_left_alone(dataset):
    check_data(config(train=dataset))


def test_present_data_passes(folder):
    put(folder, 'data/imagenet/train/n01440764/a.JPEG', 'data/coco/annotations/train.json',
        'data/coco/train2017/1.jpg', 'data/cifar10/cifar-10-batches-py/test_batch',
        'data/folder/val/cat/1.jpg',
        *(f'data/cifar10/cifar-10-batches-py/data_batch_{i}' for i in range(1, 6)))
    folder = dict(type='auglocal_mm.ImageFolder', data_root='data/folder', split='test')
    for dataset in (IMAGENET, COCO, CIFAR, folder):
        check_data(config(train=dataset))


def test_an_empty_folder_is_missing(folder):
    (folder / 'data/imagenet/train').mkdir(parents=True)
    assert paths(missing(config(train=IMAGENET)), folder) == ['data/imagenet/train']


def test_all_are_listed_once_with_content_and_source(folder):
    wrapped = dict(type='ConcatDataset', datasets=[
        dict(type='RepeatDataset', times=2, dataset=COCO), IMAGENET])
    error = missing(config(train=wrapped, val=dict(IMAGENET, split='val'), test=COCO))
    assert paths(error, folder) == ['data/coco/annotations/train.json', 'data/coco/train2017',
                                    'data/imagenet/train', 'data/imagenet/val']
    text = str(error)
    assert text.startswith('data is missing: 4 paths\n')
    assert text.count('what belongs there: ') == text.count('how to get it: ') == 4
    for part in ('https://cocodataset.org/#download', 'https://image-net.org/download',
                 str(folder / 'data/imagenet/val')):
        assert part in text
    assert isinstance(error, FileNotFoundError)


@pytest.mark.parametrize('split', SPLITS)
def test_only_the_splits_in_use_are_checked(split):
    cfg = config(**{split: COCO})
    missing(cfg, splits=(split,))
    check_data(cfg, splits=[other for other in SPLITS if other != split])


def test_a_dataloader_may_be_absent_or_none():
    check_data(Config(dict(val_dataloader=None)))


@pytest.mark.parametrize(('dataset', 'name'), [
    (CIFAR, 'cifar10'), (dict(CIFAR, type='CIFAR100'), 'cifar100 --root'), (IMAGENET, 'imagenet'),
    (COCO, 'coco'), (dict(type='auglocal_mm.STL10', data_root='data/stl10', download=False),
                     'stl10')])
def test_the_way_to_get_it_names_the_tool(dataset, name):
    assert f'tools/dataset_converters/prepare.py {name}' in str(missing(config(train=dataset)))


def test_unknown_split_is_refused():
    with pytest.raises(ValueError, match=r"got \['validation'\]"):
        check_data(config(), splits=('train', 'validation'))
