"""A user's own copy of ImageNet or COCO: what is missing or broken is said."""
import json

import numpy as np
import pytest
from PIL import Image

from auglocal_mm.datasets.preparation.coco import CocoCounts, check_coco
from auglocal_mm.datasets.preparation.imagenet import ImageNetCounts, check_imagenet, evenly

IMAGENET = ImageNetCounts(classes=3, images=(('train', 6), ('val', 3)))
COCO = CocoCounts(images=(('train2017', 4), ('val2017', 2)))


def image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(path, 'JPEG')


@pytest.fixture
def imagenet(tmp_path):
    for split, count in IMAGENET.images:
        for index in range(count):
            image(tmp_path / split / f'n0000000{index % 3}' / f'{index}.JPEG')
    return tmp_path


@pytest.fixture
def coco(tmp_path):
    for split, count in COCO.images:
        names = [f'{index:012}.jpg' for index in range(count)]
        for name in names:
            image(tmp_path / split / name)
        annotate(tmp_path, split, names)
    return tmp_path


def annotate(folder, split, names):
    path = folder / 'annotations' / f'instances_{split}.json'
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({'images': [{'file_name': name} for name in names],
                                'annotations': [{}] * 7, 'categories': [{}] * 80}))


def cut(path):
    path.write_bytes(path.read_bytes()[:200])


def states(report):
    return {finding.path: finding.state for finding in report.findings}


def test_a_whole_imagenet_passes(imagenet):
    report = check_imagenet(imagenet, IMAGENET)
    assert report.is_complete
    assert 'train  3 class folders with 6 images, 6 of them opened' in str(report)


def heap(folder):
    for place in list((folder / 'val').iterdir()):
        for path in place.iterdir():
            path.rename(folder / 'val' / path.name)
        place.rmdir()


@pytest.mark.parametrize(('spoil', 'message'), [
    (lambda folder: (folder / 'val').rename(folder / 'validation'), 'missing  val'),
    (lambda folder: (folder / 'val/n00000001/1.JPEG').unlink(),
     'val    3 class folders with 2 images, expected 3 with 3'),
    (lambda folder: (folder / 'val/n00000001').rename(folder / 'val/cat'),
     'val    2 class folders with 2 images'),
    (heap, 'images are not sorted into class folders'),
    (lambda folder: cut(folder / 'val/n00000002/2.JPEG'), r'2.JPEG cannot be decoded'),
])
def test_a_faulty_imagenet_says_what_and_how(imagenet, spoil, message):
    spoil(imagenet)
    report = check_imagenet(imagenet, IMAGENET)
    assert not report.is_complete
    assert states(report)['train'] == 'present'
    assert message in str(report)
    assert 'how to get it: register at https://image-net.org/download' in str(report)


def test_a_whole_coco_passes(coco):
    report = check_coco(coco, COCO)
    assert report.is_complete
    assert '7 objects of 80 categories in 4 images' in str(report)


@pytest.mark.parametrize(('spoil', 'path', 'message'), [
    (lambda folder: (folder / 'annotations/instances_val2017.json').unlink(),
     'annotations/instances_val2017.json', 'missing'),
    (lambda folder: cut(folder / 'annotations/instances_val2017.json') or (
        folder / 'annotations/instances_val2017.json').write_text('{"images": ['),
     'annotations/instances_val2017.json', "not in COCO's JSON format"),
    (lambda folder: annotate(folder, 'val2017', ['000000000000.jpg']),
     'annotations/instances_val2017.json', 'names 1 images, expected 2'),
    (lambda folder: annotate(folder, 'val2017', ['000000000000.jpg', 'other.jpg']), 'val2017',
     '1 images that the annotations name are missing, the first is other.jpg'),
    (lambda folder: (folder / 'val2017/000000000001.jpg').unlink(), 'val2017',
     '1 images, expected 2'),
    (lambda folder: cut(folder / 'val2017/000000000001.jpg'), 'val2017', 'cannot be decoded'),
])
def test_a_faulty_coco_says_what_and_how(coco, spoil, path, message):
    spoil(coco)
    report = check_coco(coco, COCO)
    assert {name for name, state in states(report).items() if state != 'present'} == {path}
    assert message in str(report)
    assert 'annotations_trainval2017.zip' in str(report)


def test_the_official_counts():
    assert dict(ImageNetCounts().images) == {'train': 1_281_167, 'val': 50_000}
    assert dict(CocoCounts().images) == {'train2017': 118_287, 'val2017': 5_000}


@pytest.mark.parametrize('count', [1, 2, 5, 9, 10, 11])
def test_samples_are_evenly_spread_and_differ(count):
    items = [f'{index:02}' for index in range(10)]
    chosen = evenly(items, count)
    assert len(chosen) == len(set(chosen)) == min(count, 10)
    assert chosen[0] == items[0]
    assert count == 1 or chosen[-1] == items[-1]
