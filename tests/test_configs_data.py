"""Data and detection configs parse, build, and keep what they promise."""
from copy import deepcopy
from pathlib import Path

import pytest
from config_files import CONFIGS, parse
from mmengine.registry import init_default_scope

DATASETS = sorted(CONFIGS.glob('_base_/datasets/*.py'))
DETECTION = sorted([*CONFIGS.glob('mask_rcnn/*.py'), *CONFIGS.glob('demo/mask-rcnn_*.py')])
PAIRS = [(path, path.with_name(path.name.replace('auglocal', 'bp')))
         for path in DETECTION if 'auglocal' in path.name]


def name(path):
    return path.stem if isinstance(path, Path) else None


def test_the_configs_are_found():
    assert len(DATASETS) == 7
    assert len(DETECTION) == 4
    assert all(other in DETECTION for _, other in PAIRS)


@pytest.mark.parametrize('path', DATASETS, ids=name)
def test_training_loaders_can_be_resumed(path):
    loader = parse(path).train_dataloader
    assert loader.worker_init_fn == dict(type='auglocal_mm.seed_worker')
    assert loader.persistent_workers is False
    assert loader.sampler == dict(type='DefaultSampler', shuffle=True)


@pytest.mark.parametrize('path', DATASETS, ids=name)
def test_pipelines_build(path):
    import mmdet.datasets.transforms  # noqa: F401
    import mmpretrain.datasets.transforms  # noqa: F401
    from mmdet.registry import TRANSFORMS as DETECTION_TRANSFORMS
    from mmpretrain.registry import TRANSFORMS as CLASSIFICATION
    cfg = parse(path)
    detection = cfg.val_evaluator.type == 'CocoMetric'
    registry = DETECTION_TRANSFORMS if detection else CLASSIFICATION
    for pipeline in (cfg.train_pipeline, cfg.test_pipeline):
        for transform in pipeline:
            registry.build(transform)


@pytest.mark.parametrize(('dataset', 'images'), [
    ('cifar10', 1024), ('svhn', 1024), ('stl10', 128), ('imagenet', 1024 // 8),
    ('coco_instance', 16 // 8)])
def test_batches_are_the_papers(dataset, images):
    assert parse(CONFIGS / f'_base_/datasets/{dataset}.py').train_dataloader.batch_size == images


def test_digits_are_normalised_by_their_own_statistics():
    import numpy as np

    from auglocal_mm.datasets import Digits
    digits = Digits()
    images = np.stack([digits.get_data_info(i)['img'] for i in range(len(digits))])
    for dataset in ('digits', 'digit_scenes'):
        preprocessor = parse(CONFIGS / f'_base_/datasets/{dataset}.py').data_preprocessor
        assert preprocessor.mean == [pytest.approx(images.mean(), abs=0.1)] * 3
        assert preprocessor.std == [pytest.approx(images.std(), abs=0.1)] * 3


@pytest.mark.parametrize('path', DETECTION, ids=name)
def test_docstring_gives_the_command(path):
    assert f'configs/{path.relative_to(CONFIGS)}' in path.read_text(encoding='utf-8')


@pytest.mark.parametrize('path', DETECTION, ids=name)
def test_backbone_has_the_keys_of_mmpretrains_resnet34(path):
    """What the exporter writes from a classifier is all that the detector's backbone reads."""
    from mmdet.registry import MODELS
    from mmpretrain.models import ResNet
    init_default_scope('mmdet')
    cfg = deepcopy(parse(path))
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    width = cfg.model.backbone.get('base_channels', 64)
    classifier = ResNet(depth=34, base_channels=width, stem_channels=width)
    shapes = {key: value.shape for key, value in classifier.state_dict().items()}
    assert {key: value.shape for key, value in model.backbone.state_dict().items()} == shapes
    assert cfg.model.data_preprocessor == cfg.data_preprocessor


@pytest.mark.parametrize(('auglocal', 'bp'), PAIRS, ids=name)
def test_the_two_methods_differ_in_the_checkpoint_alone(auglocal, bp):
    first, second = (parse(path).to_dict() for path in (auglocal, bp))
    checkpoints = []
    for cfg, method in ((first, 'auglocal'), (second, 'bp')):
        init = cfg['model']['backbone']['init_cfg']
        checkpoints.append(init.pop('checkpoint'))
        assert method in checkpoints[-1]
        assert method in cfg.pop('work_dir')
        assert init == dict(type='Pretrained', prefix='backbone.')
    assert first == second
    assert checkpoints[0] != checkpoints[1]
