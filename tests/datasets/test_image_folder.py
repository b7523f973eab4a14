"""A folder of images stands in for data sets that give arrays."""
import numpy as np
import pytest
from PIL import Image

from auglocal_mm.datasets import DataError, ImageFolder
from auglocal_mm.datasets.image_folder import read_image
from auglocal_mm.registry import DATASETS

PACK = [dict(type='mmpretrain.RandomCrop', crop_size=8, padding=1),
        dict(type='mmpretrain.PackInputs')]


def picture(seed, side=8):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def put(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def root(tmp_path):
    """Three classes, written in an order that is not the sorted one; lossless files."""
    for split, count in (('train', 3), ('test', 2)):
        for label, name in ((2, 'ship'), (0, 'bird'), (1, 'frog')):
            for index in reversed(range(count)):
                put(tmp_path / split / name / f'{index:04}.png', picture(10 * label + index))
    return tmp_path


@pytest.mark.parametrize('memory_mb', [1024, 0])
def test_samples_are_the_pixels_of_the_files_in_order(root, memory_mb):
    images = ImageFolder(data_root=str(root), split='train', memory_mb=memory_mb)
    assert images.metainfo['classes'] == ('bird', 'frog', 'ship')
    assert images.get_gt_labels().tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    for index, sample in enumerate(images):
        assert sample['img'].dtype == np.uint8
        assert (sample['img'] == picture(10 * (index // 3) + index % 3)).all()
    assert images.get_cat_ids(8) == [2]


def test_decoded_images_stay_in_memory_and_large_sets_on_disk(root):
    small, large = (ImageFolder(data_root=str(root), memory_mb=each) for each in (1, 0))
    (root / 'train/bird/0000.png').unlink()
    assert (small[0]['img'] == picture(0)).all()
    with pytest.raises(DataError, match=r'bird/0000\.png cannot be decoded'):
        large[0]


def test_one_image_too_many_for_memory_leaves_all_on_disk(root):
    put(root / 'train/bird/0000.png', picture(5, side=600))  # 1.03 MiB
    images = ImageFolder(data_root=str(root), memory_mb=1)
    assert images[0]['img'].shape == (600, 600, 3)
    (root / 'train/ship/0002.png').unlink()
    with pytest.raises(DataError):
        images[8]


def test_the_order_of_channels_is_rgb(root):
    put(root / 'train/bird/0000.png', np.full((8, 8, 3), (200, 100, 0), dtype=np.uint8))
    assert ImageFolder(data_root=str(root))[0]['img'][3, 4].tolist() == [200, 100, 0]


@pytest.mark.parametrize('mode', ['L', 'RGBA', 'P', '1', 'CMYK'])
def test_every_kind_of_image_becomes_rgb(tmp_path, mode):
    path = tmp_path / ('a.tif' if mode == 'CMYK' else 'a.png')
    Image.fromarray(picture(1)).convert(mode).save(path)
    assert read_image(path).shape == (8, 8, 3)


def test_images_can_be_resized(root):
    images = ImageFolder(data_root=str(root), side_px=5)
    assert all(sample['img'].shape == (5, 5, 3) for sample in images)


def test_the_first_of_each_class_by_name_make_a_subset(root):
    images = ImageFolder(data_root=str(root), images_per_class=2)
    assert [sample['img_path'].rpartition('train/')[2] for sample in images] == [
        f'{name}/{index:04}.png' for name in ('bird', 'frog', 'ship') for index in (0, 1)]
    assert 'Images per class: \t2' in repr(images)
    with pytest.raises(DataError, match='images_per_class=4, but .*bird holds 3 images'):
        ImageFolder(data_root=str(root), images_per_class=4)


def test_val_stands_for_test_and_test_for_val(root):
    assert len(ImageFolder(data_root=str(root), split='val')) == 6
    (root / 'test').rename(root / 'val')
    assert len(ImageFolder(data_root=str(root), split='test', test_mode=True)) == 6


def test_the_pipeline_of_a_cifar_config_packs_it(root):
    packed = ImageFolder(data_root=str(root), pipeline=PACK)[4]
    assert packed['inputs'].shape == (3, 8, 8)
    assert packed['data_samples'].gt_label.item() == 1


def test_other_files_are_not_images(root):
    (root / 'train/bird/notes.txt').write_text('x')
    (root / 'train/bird/._0000.png').write_text('x')
    (root / 'train/.cache').mkdir()
    assert len(ImageFolder(data_root=str(root))) == 9


def test_registries_find_it():
    assert DATASETS.get('ImageFolder') is ImageFolder


def rename_a_class(root):
    (root / 'test/ship').rename(root / 'test/boat')


def empty_a_class(root):
    for path in (root / 'train/frog').iterdir():
        path.unlink()


def cut_an_image(root):
    path = root / 'train/frog/0001.png'
    path.write_bytes(path.read_bytes()[:60])


def drop_training(root):
    (root / 'train').rename(root / 'training')


def flatten(root):
    drop_training(root)
    put(root / 'train/0000.png', picture(0))


@pytest.mark.parametrize(('spoil', 'message'), [
    (rename_a_class, r"only train has \['ship'\], only test has \['boat'\]"),
    (empty_a_class, 'train/frog holds no images'),
    (cut_an_image, r'frog/0001\.png cannot be decoded'),
    (drop_training, r'no folder .*/train; images belong in'),
    (flatten, 'train holds no class folders'),
])
def test_a_folder_of_another_layout_is_refused(root, spoil, message):
    spoil(root)
    with pytest.raises(DataError, match=message):
        ImageFolder(data_root=str(root), split='train')


def test_settings_out_of_bounds_are_all_named(root):
    with pytest.raises(ValueError, match=r'(?s)got 0.*side_px.*got -1.*memory_mb.*got -2'):
        ImageFolder(data_root=str(root), images_per_class=0, side_px=-1, memory_mb=-2)
    with pytest.raises(ValueError, match="got 'extra'"):
        ImageFolder(data_root=str(root), split='extra')
