"""Data and detection configs parse, build, and keep what they promise."""
import re
from pathlib import Path

import pytest
from config_files import (
    CONFIGS,
    DETECTOR_FOLDERS,
    DETECTORS,
    LOCAL_DETECTORS,
    MMDETS_OWN,
    parse,
    relative,
)
from mmengine.registry import MODELS, DefaultScope

from auglocal_mm.console.host_chatter import import_hosts

DATASETS = sorted(CONFIGS.glob('_base_/datasets/*.py'))
DETECTION = [*DETECTORS, *sorted(CONFIGS.glob('demo/mask-rcnn_*.py'))]
#: On a backbone that a config of ours trains.
PRETRAINED = [path for path in DETECTION if path not in MMDETS_OWN]
PAIRS = [(path, path.with_name(path.name.replace('auglocal', 'bp')))
         for path in DETECTION if 'auglocal' in path.name]


def name(path):
    return path.stem if isinstance(path, Path) else None


def test_the_configs_are_found():
    assert len(DATASETS) == 8
    assert len(DETECTION) == 41
    assert len(PAIRS) == 16
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
    ('coco_instance', 16 // 8), ('coco_detection', 16 // 8)])
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


@pytest.fixture
def unset_weights(monkeypatch):
    """Weights are allocated, not drawn: a full-size detector is built in a tenth of a second."""
    for drawn in ('kaiming_uniform_', 'kaiming_normal_', 'xavier_uniform_', 'uniform_', 'normal_',
                  'trunc_normal_'):
        monkeypatch.setattr(f'torch.nn.init.{drawn}', lambda tensor, *_, **__: tensor)


@pytest.mark.parametrize('path', PRETRAINED, ids=name)
def test_backbone_has_the_keys_of_the_exported_classifier(path, unset_weights):
    """What the exporter writes is all that the detector's backbone reads."""
    cfg = parse(path)
    net, rule = re.fullmatch(r'work_dirs/(.*)_(auglocal|bp)/backbone\.pth',
                             cfg.model.backbone.pop('init_cfg').checkpoint).groups()
    found = [CONFIGS / f'{folder}.py' for folder in (f'{rule}/{net}', f'demo/{net}_{rule}')]
    classifier = parse(next(each for each in found if each.is_file()))
    assert classifier.work_dir == f'work_dirs/{net}_{rule}'
    import_hosts('mmdet.models', 'mmpretrain.models')
    shapes = []
    for each in (cfg, classifier):
        with DefaultScope.overwrite_default_scope(each.default_scope):
            backbone = MODELS.build(each.model.backbone)
        # A VGG that classifies has its linear layers there.
        shapes.append({key: value.shape for key, value in backbone.state_dict().items()
                       if not key.startswith('classifier.')})
    assert shapes[0] == shapes[1]
    assert cfg.model.data_preprocessor == cfg.data_preprocessor


#: Whose cuts are counted, which takes seconds for each. The slow tests do so for all.
COUNTED = CONFIGS / 'mask_rcnn/mask-rcnn_r34-local-k2_fpn_adamw_1x_coco.py'


@pytest.mark.parametrize('path', DETECTORS, ids=relative)
def test_every_detector_is_built(path, unset_weights):
    """Its levels fit together: the neck reads what the backbone outputs."""
    build_detector(path, counted=path == COUNTED)


@pytest.mark.slow
@pytest.mark.parametrize('path', LOCAL_DETECTORS, ids=relative)
def test_every_local_detector_is_cut_where_its_costs_say(path, unset_weights):
    build_detector(path, counted=True)


def build_detector(path, *, counted):
    cfg = parse(path)
    import_hosts('mmdet.models')
    if path in LOCAL_DETECTORS and not counted:
        cfg.model.local.balance = 'units'
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
    own = {base.__name__ for base in type(model).__mro__}
    assert DETECTOR_FOLDERS[path.parent.name][1] in own
    assert ('LocalTraining' in own) == (path in LOCAL_DETECTORS)
    if path in LOCAL_DETECTORS:
        assert model.plan.modules == cfg.model.local.modules
        # What is frozen needs no auxiliary network.
        taught = {loss.unit for loss in model.plan.losses}
        assert 0 < len(taught) < cfg.model.local.modules


@pytest.mark.parametrize(('folder', 'names'), DETECTOR_FOLDERS.items())
def test_a_fragment_is_mmdets_but_for_the_backbone(folder, names):
    """So a difference in AP is one of backbones and schedules alone."""
    import mmdet
    theirs = {'fcos': 'fcos/fcos_r50_fpn_gn-head-center-normbbox-centeronreg-giou_'
                      '8xb8-amp-lsj-200e_coco.py'}.get(
        folder, f'_base_/models/{names[0]}_r50_fpn.py')
    own, other = (parse(path).model.to_dict() for path in (
        CONFIGS / f'_base_/models/{names[0]}_r34_fpn.py',
        Path(mmdet.__file__).parent / '.mim' / 'configs' / theirs))
    other.pop('data_preprocessor')
    backbones = [model.pop('backbone') for model in (own, other)]
    assert [model['neck'].pop('in_channels') for model in (own, other)] == [
        [64, 128, 256, 512], [256, 512, 1024, 2048]]
    other.get('bbox_head', {}).pop('dcn_on_last_conv', None)  # FCOS: False, as by default
    assert own == other
    assert all(backbones[1][key] == value for key, value in backbones[0].items()
               if key not in ('depth', 'init_cfg'))


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
