"""Digit scenes on disk: the same everywhere, all or nothing, readable as COCO."""
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from auglocal_mm.datasets import DigitScenesError, digit_scenes, ensure_digit_scenes
from auglocal_mm.registry import DATASETS

SMALL = dict(train=6, val=3)
PIPELINE = [dict(type='mmdet.LoadImageFromFile'),
            dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
            dict(type='mmdet.PackDetInputs')]


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    return ensure_digit_scenes(tmp_path_factory.mktemp('data') / 'scenes', **SMALL)


def content(root):
    """A digest of the annotations, and one of the decoded pixels."""
    annotations, pixels = hashlib.sha256(), hashlib.sha256()
    for path in sorted((root / 'annotations').iterdir()):
        annotations.update(path.read_bytes())
    for path in sorted(root.glob('*/*.png')):
        pixels.update(np.asarray(Image.open(path)).tobytes())
    return annotations.hexdigest(), pixels.hexdigest()


def test_annotations_are_the_same_on_every_machine(scenes):
    assert content(scenes)[0] == (
        'f46fdebc830b5df81507d91a8607d31be0b4a7ee5746cd2881cb327880f7d545')


def test_scenes_are_the_same_in_every_run(scenes, tmp_path):
    again = ensure_digit_scenes(tmp_path / 'again', **SMALL)
    assert content(again) == content(scenes)
    other = ensure_digit_scenes(tmp_path / 'other', **SMALL, seed=1)
    assert content(other)[0] != content(scenes)[0]


def test_a_complete_folder_is_left_as_it_is(scenes):
    before = {path: path.stat().st_mtime_ns for path in scenes.rglob('*')}
    assert ensure_digit_scenes(scenes, **SMALL) == scenes
    assert {path: path.stat().st_mtime_ns for path in scenes.rglob('*')} == before


def test_nothing_is_left_of_an_interrupted_run(tmp_path, monkeypatch):
    root = tmp_path / 'data' / 'scenes'
    with monkeypatch.context() as patch:
        patch.setattr(digit_scenes, 'to_coco', lambda *args, **kwargs: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            ensure_digit_scenes(root, **SMALL)
    assert list(root.parent.iterdir()) == []
    ensure_digit_scenes(root, **SMALL)
    assert [path.name for path in root.parent.iterdir()] == ['scenes']


def test_several_at_once_make_one_folder(tmp_path, scenes):
    root = tmp_path / 'scenes'
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda _: ensure_digit_scenes(root, **SMALL), range(3)))
    assert made == [root] * 3
    assert [path.name for path in tmp_path.iterdir()] == ['scenes']
    assert content(root) == content(scenes)


def test_a_folder_of_something_else_is_refused_and_kept(tmp_path):
    (tmp_path / 'mine.txt').write_text('mine')
    with pytest.raises(DigitScenesError, match='was not made for digit scenes'):
        ensure_digit_scenes(tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ['mine.txt']


def test_an_empty_folder_is_used(tmp_path):
    assert (ensure_digit_scenes(tmp_path, **SMALL) / digit_scenes.STAMP).is_file()


@pytest.mark.parametrize('change', [dict(seed=1), dict(train=7), dict(side_px=96)])
def test_scenes_of_other_parameters_are_not_reused(scenes, change):
    with pytest.raises(DigitScenesError, match='was requested. Remove the folder'):
        ensure_digit_scenes(scenes, **{**SMALL, **change})


def test_scenes_of_another_version_are_not_reused(scenes, monkeypatch):
    monkeypatch.setattr(digit_scenes, 'VERSION', digit_scenes.VERSION + 1)
    with pytest.raises(DigitScenesError, match="'version': 1"):
        ensure_digit_scenes(scenes, **SMALL)


def test_a_partly_copied_folder_is_refused(tmp_path):
    root = ensure_digit_scenes(tmp_path / 'scenes', **SMALL)
    (root / 'val' / '000002.png').unlink()
    with pytest.raises(DigitScenesError, match='val has 2 of 3 images'):
        ensure_digit_scenes(root, **SMALL)


@pytest.mark.parametrize(('change', 'message'), [
    (dict(train=0), 'train must be at least 1 scene, got 0'),
    (dict(side_px=60), 'side_px must be 64 to 192, got 60'),
    (dict(seed=-1), 'seed must be 0 to')])
def test_parameters_out_of_bounds_are_refused(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        ensure_digit_scenes(tmp_path / 'scenes', **change)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('part', ['train', 'val'])
def test_pycocotools_reads_consistent_annotations(scenes, part):
    coco = COCO(str(scenes / 'annotations' / f'instances_{part}.json'))
    assert len(coco.imgs) == SMALL[part]
    for annotation in coco.anns.values():
        mask = coco.annToMask(annotation).astype(bool)
        left, top, width, height = annotation['bbox']
        assert mask.sum() == annotation['area'] == mask[top:top + height, left:left + width].sum()
        # A digit over it may cut a mask in two; its box stays tight.
        rows, columns = mask.any(axis=1).nonzero()[0], mask.any(axis=0).nonzero()[0]
        assert (rows[0], rows[-1]) == (top, top + height - 1)
        assert (columns[0], columns[-1]) == (left, left + width - 1)


def test_parts_share_no_digit():
    """Each part draws from its own split, and the splits are apart."""
    assert dict(digit_scenes._PARTS) == {'train': 'train', 'val': 'test'}


def build(scenes, **kwargs):
    return DATASETS.build(dict(type='DigitScenes', data_root=str(scenes), part='val',
                               scenes=SMALL, pipeline=PIPELINE, **kwargs))


def test_mmdet_loads_every_instance(scenes):
    from mmdet.datasets import CocoDataset
    dataset = build(scenes)
    annotations = json.loads((scenes / 'annotations/instances_val.json').read_text())
    assert type(dataset) is CocoDataset
    assert dataset.metainfo['classes'] == tuple('0123456789')
    assert sum(len(dataset[i]['data_samples'].gt_instances) for i in range(len(dataset))) \
        == len(annotations['annotations'])
    assert dataset[0]['inputs'].shape == (3, 128, 128)


def test_unknown_part_is_refused(scenes):
    with pytest.raises(ValueError, match="part must be 'train' or 'val', got 'test'"):
        DATASETS.build(dict(type='DigitScenes', data_root=str(scenes), part='test'))


def test_the_truth_as_prediction_has_perfect_ap(scenes):
    import torch
    from mmdet.evaluation import CocoMetric
    dataset = build(scenes)
    metric = CocoMetric(ann_file=str(scenes / 'annotations/instances_val.json'),
                        metric=['bbox', 'segm'])
    metric.dataset_meta = dataset.metainfo
    for i in range(len(dataset)):
        sample = dataset[i]['data_samples']
        truth = sample.gt_instances
        masks = torch.from_numpy(truth.masks.masks.astype(bool))
        metric.process({}, [dict(
            img_id=sample.img_id, ori_shape=sample.ori_shape,
            pred_instances=dict(bboxes=truth.bboxes.tensor, labels=truth.labels,
                                scores=torch.ones(len(truth)), masks=masks))])
    result = metric.evaluate(size=len(dataset))
    assert result['coco/bbox_mAP'] == pytest.approx(1)
    assert result['coco/segm_mAP'] == pytest.approx(1)
