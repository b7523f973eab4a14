"""--image-folder: one option replaces a config's data set by a folder."""
import subprocess
import sys
from copy import deepcopy

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from PIL import Image

from auglocal_mm.datasets import DataError
from auglocal_mm.engine.launch import load_config, use_image_folder

SPLITS = ('train', 'val', 'test')


def make_folder(root, *, classes=10, side=32, train=2, test=1):
    random = np.random.default_rng(0)
    for split, count in (('train', train), ('test', test)):
        for label in range(classes):
            folder = root / split / f'class{label}'
            folder.mkdir(parents=True)
            for index in range(count):
                pixels = random.integers(0, 256, (side, side, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f'{index}.jpg')
    return str(root)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp('images'))


def datasets(cfg):
    return {split: cfg[f'{split}_dataloader'].dataset for split in SPLITS}


def test_every_cifar_config_reads_the_folder_and_changes_nothing_else(root, folder):
    paths = sorted((root / 'configs').glob('*/*_cifar10*.py'))
    assert len(paths) > 10
    for path in paths:
        cfg = load_config(str(path))
        before = deepcopy(cfg.to_dict())
        use_image_folder(cfg, folder)
        for split, dataset in datasets(cfg).items():
            old = before[f'{split}_dataloader']['dataset']
            assert dataset.type == 'auglocal_mm.ImageFolder'
            assert (dataset.split, dataset.pipeline) == (old['split'], old['pipeline'])
            cfg[f'{split}_dataloader'].dataset = old
        assert cfg.to_dict() == before


def test_the_data_sets_build_as_they_are(root, folder):
    cfg = load_config(str(root / 'configs/bp/resnet32_cifar10.py'))
    use_image_folder(cfg, folder)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        built = {split: DATASETS.build(dataset) for split, dataset in datasets(cfg).items()}
    assert {split: len(each) for split, each in built.items()} == {
        'train': 20, 'val': 10, 'test': 10}
    assert built['train'][7]['inputs'].shape == (3, 32, 32)


def test_settings_of_the_folder_come_by_cfg_options(root, folder):
    cfg = load_config(str(root / 'configs/bp/resnet32_cifar10.py'),
                      cfg_options={'train_dataloader.dataset.images_per_class': 1})
    use_image_folder(cfg, folder)
    assert cfg.train_dataloader.dataset.images_per_class == 1
    assert 'images_per_class' not in cfg.val_dataloader.dataset


def test_wrapped_data_sets_are_replaced_within(folder):
    cifar = dict(type='mmpretrain.CIFAR10', data_root='d', split='train', download=False)
    wrapped = dict(type='RepeatDataset', times=2, dataset=dict(
        type='ConcatDataset', datasets=[cifar, dict(cifar)]))
    cfg = Config(dict(default_scope='mmpretrain', model=dict(head=dict(num_classes=10)),
                      train_dataloader=dict(dataset=wrapped), val_dataloader=None))
    use_image_folder(cfg, folder)
    for each in cfg.train_dataloader.dataset.dataset.datasets:
        assert each == dict(type='auglocal_mm.ImageFolder', data_root=folder, split='train')


def test_another_number_of_classes_names_the_options_that_fix_it(root, tmp_path):
    folder = make_folder(tmp_path, classes=3)
    path = str(root / 'configs/bp/resnet32_cifar10.py')
    with pytest.raises(ValueError, match="has 3 classes, but the model's head has 10") as caught:
        use_image_folder(load_config(path), folder)
    options = dict(word.split('=') for word in str(caught.value).rpartition('options ')[2].split())
    cfg = load_config(path, cfg_options={key: int(value) for key, value in options.items()})
    use_image_folder(cfg, folder)
    assert cfg.model.head.num_classes == cfg.data_preprocessor.num_classes == 3


def test_another_size_than_the_crop_names_the_options_that_fix_it(root, tmp_path):
    folder = make_folder(tmp_path, side=40)
    path = str(root / 'configs/bp/resnet32_cifar10.py')
    with pytest.raises(ValueError, match='is 40x40 pixels, but the pipeline crops 32x32') as caught:
        use_image_folder(load_config(path), folder)
    words = str(caught.value).rpartition('options ')[2].partition(', or')[0].split()
    options = {key: int(value) for key, value in (word.split('=') for word in words)}
    cfg = load_config(path, cfg_options=options)
    use_image_folder(cfg, folder)
    assert [each.side_px for each in datasets(cfg).values()] == [32, 32, 32]


def test_test_images_must_have_the_size_of_the_training_crop_too(root, tmp_path):
    folder = make_folder(tmp_path)
    for path in (tmp_path / 'test').rglob('*.jpg'):
        Image.new('RGB', (48, 40)).save(path)
    path = str(root / 'configs/bp/resnet32_cifar10.py')
    with pytest.raises(ValueError, match='test/class0/0.jpg is 40x48 pixels'):
        use_image_folder(load_config(path), folder)
    resize = {f'{split}_dataloader.dataset.pipeline': [dict(type='Resize', scale=32),
                                                       dict(type='PackInputs')]
              for split in ('val', 'test')}
    use_image_folder(load_config(path, cfg_options=resize), folder)


@pytest.mark.parametrize(('config', 'message'), [
    ('auglocal/resnet34_imagenet.py', "train_dataloader.dataset.type is 'ImageNet'"),
    ('mask_rcnn/mask-rcnn_r34_bp_fpn_adamw_1x_coco.py', "default_scope='mmdet'"),
])
def test_data_sets_that_load_files_are_refused(root, folder, config, message):
    with pytest.raises(ValueError, match=message):
        use_image_folder(load_config(str(root / 'configs' / config)), folder)


def test_a_missing_folder_is_named(root, tmp_path):
    with pytest.raises(DataError, match='no folder .*/nowhere/train'):
        use_image_folder(load_config(str(root / 'configs/bp/resnet32_cifar10.py')),
                         str(tmp_path / 'nowhere'))


@pytest.mark.slow
def test_train_and_test_take_the_option(root, folder, tmp_path):
    def run(*words):
        return subprocess.run([sys.executable, *words], cwd=tmp_path, text=True, timeout=300,
                              capture_output=True, check=False)
    config = str(root / 'configs/auglocal/resnet32_cifar10.py')
    done = run(str(root / 'tools/train.py'), config, '--work-dir', 'w', '--image-folder', folder,
               '--cfg-options', 'train_cfg.max_epochs=1', 'train_dataloader.batch_size=10',
               'train_dataloader.num_workers=0', 'val_dataloader.num_workers=0')
    assert done.returncode == 0, done.stderr[-2000:]
    tested = run(str(root / 'tools/test.py'), config, 'w/epoch_1.pth', '--work-dir', 'w',
                 '--image-folder', folder, '--cfg-options', 'test_dataloader.num_workers=0')
    assert tested.returncode == 0, tested.stderr[-2000:]
    assert 'accuracy/top1' in tested.stdout + tested.stderr
    refused = run(str(root / 'tools/train.py'), config, '--image-folder', str(tmp_path / 'no'))
    assert refused.returncode == 2
    assert refused.stderr.strip().splitlines()[-1].startswith('error: no folder ')
