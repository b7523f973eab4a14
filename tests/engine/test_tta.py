"""Test time augmentation through the tools' launcher: the right weights, the right average."""
import copy

import pytest
import torch
from detectors import build
from mmengine.config import Config
from mmengine.runner import save_checkpoint
from small import auglocal, classifier
from transfer_set import DETECTOR, make_set

from auglocal_mm.engine import launch

PIPELINE = [{'type': 'PackInputs'}]


def config(tmp_path, **more):
    return Config({
        'default_scope': 'mmpretrain', 'work_dir': str(tmp_path / 'run'), 'launcher': 'none',
        'experiment_name': tmp_path.name,
        'model': {'type': 'auglocal_mm.LocalImageClassifier', 'local': auglocal(3),
                  'backbone': {'type': 'auglocal_mm.ResNetCIFAR', 'depth': 20,
                               'stem_channels': 4, 'base_channels': 4},
                  'neck': {'type': 'GlobalAveragePooling'},
                  'head': {'type': 'LinearClsHead', 'num_classes': 10, 'in_channels': 16},
                  'data_preprocessor': {'type': 'ClsDataPreprocessor', 'num_classes': 10}},
        'test_dataloader': {'batch_size': 50, 'num_workers': 0,
                            'sampler': {'type': 'DefaultSampler', 'shuffle': False},
                            'dataset': {'type': 'auglocal_mm.Digits', 'split': 'test',
                                        'indices': 60, 'test_mode': True, 'pipeline': PIPELINE}},
        'test_cfg': {}, 'test_evaluator': {'type': 'Accuracy'}, **more})


def test_flips_are_averaged_with_the_checkpoints_weights(tmp_path):
    head = {'type': 'LinearClsHead', 'num_classes': 10, 'in_channels': 16}
    model = classifier(auglocal(3), seed=3, head=head).eval()
    path = tmp_path / 'weights.pth'
    save_checkpoint({'state_dict': model.state_dict(), 'meta': {}}, str(path))
    cfg = config(tmp_path)
    launch.use_test_time_augmentation(cfg)
    runner = launch.load_for_test(cfg, str(path))
    accuracy = runner.test()['accuracy/top1']
    loaded = launch.bare_model(runner).state_dict()
    assert all(torch.equal(value, loaded[key]) for key, value in model.state_dict().items())

    hits = total = 0
    for data in runner.test_dataloader.dataset:
        image = data['inputs'][0][None].float()
        scores = model(image).softmax(1) + model(image.flip(-1)).softmax(1)
        hits += int(scores.argmax() == data['data_samples'][0].gt_label)
        total += 1
    assert accuracy == pytest.approx(100 * hits / total, abs=0.01)


#: Two sizes, each with and without a flip, as in the docstring of mmdet's DetTTAModel.
DETECTORS_OWN = """
tta_model = dict(type='DetTTAModel', tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.5),
                                                  max_per_img=20))
tta_pipeline = [pipeline[0], dict(type='TestTimeAug', transforms=[
    [dict(type='Resize', scale=(side, side), keep_ratio=True) for side in (96, 64)],
    [dict(type='RandomFlip', prob=prob) for prob in (1.0, 0.0)],
    [pipeline[1]],
    [dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape',
                                           'scale_factor', 'flip', 'flip_direction'))]])]
"""
LOCAL = {'model.type': 'auglocal_mm.LocalDetector', 'model.detector': 'RetinaNet',
         'model.local': auglocal(2, modules=3)}


def test_a_local_detector_is_augmented_as_its_plain_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_set(tmp_path, train=1, val=1)
    config = Config.fromstring(DETECTOR + DETECTORS_OWN, '.py')
    trained = build(config.model.to_dict(), local=LOCAL['model.local']).state_dict()
    found = {}
    for name, settings in (('local', LOCAL), ('plain', {})):
        state = {key: value for key, value in trained.items()
                 if name == 'local' or not key.startswith('auxiliary.')}
        save_checkpoint({'state_dict': state, 'meta': {}}, f'{name}.pth')
        cfg = copy.deepcopy(config)
        # mmengine keeps visualizers by name, and one of another test writes to a folder of its own.
        cfg.merge_from_dict({**settings, 'work_dir': name, 'launcher': 'none',
                             'visualizer.name': f'{tmp_path}-{name}'})
        launch.use_test_time_augmentation(cfg)
        runner = launch.load_for_test(cfg, f'{name}.pth')
        runner.load_or_resume()
        [sample] = runner.model.test_step(next(iter(runner.test_dataloader)))
        found[name] = sample.pred_instances
    assert len(state) < len(trained) and len(found['plain'])
    assert torch.equal(found['local'].bboxes, found['plain'].bboxes)
    assert torch.equal(found['local'].scores, found['plain'].scores)


def test_a_configs_own_augmentation_is_kept(tmp_path):
    own = [{'type': 'TestTimeAug', 'transforms': [PIPELINE]}]
    cfg = config(tmp_path, tta_pipeline=own, tta_model={'type': 'AverageClsScoreTTA', 'x': 1})
    launch.use_test_time_augmentation(cfg)
    assert cfg.test_dataloader.dataset.pipeline == own
    assert cfg.model.x == 1 and cfg.model.module.type == 'auglocal_mm.LocalImageClassifier'


def test_a_detector_without_one_is_refused(tmp_path):
    wrapped = config(tmp_path)
    wrapped.test_dataloader.dataset = {'type': 'RepeatDataset', 'dataset': {}}
    with pytest.raises(ValueError, match='--tta cannot see the pipeline inside RepeatDataset'):
        launch.use_test_time_augmentation(wrapped)
    with pytest.raises(ValueError, match='--tta needs tta_model and tta_pipeline'):
        launch.use_test_time_augmentation(config(tmp_path, default_scope='mmdet'))
