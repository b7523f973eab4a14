"""Checkpoints of detectors that are trained locally, whichever way their config is written."""
import copy
import shutil

import pytest
import torch
from config_files import CONFIGS, parse
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from small_detectors import slim

from auglocal_mm.checkpoints import (
    CheckpointError,
    export_backbone,
    judge_overlap,
    publish_model,
    read_checkpoint,
    verify_pretrained,
)

NAME = 'mask_rcnn/mask-rcnn_r34-local-k2_fpn_adamw_1x_coco.py'
OWN = ('type', 'local', 'detector')


def nested(model):
    """The same model, with the whole detector under one key."""
    inner = {key: model.pop(key) for key in list(model) if key not in OWN}
    return {**model, 'detector': {'type': model['detector'], **inner}}


@pytest.fixture(scope='module', params=['flat', 'nested', 'preprocessor outside'])
def saved(request, tmp_path_factory):
    """A local detector, its checkpoint and its config; tests must leave all three as they are."""
    cfg = parse(CONFIGS / NAME)
    model = slim(cfg.model).to_dict()
    model['backbone'].pop('init_cfg')
    if request.param != 'flat':
        # Counting where to cut takes longer than all else, wherever the detector is built.
        model['local']['balance'] = 'units'
    parts = {'default_scope': 'mmdet'}
    if request.param == 'preprocessor outside':
        parts['data_preprocessor'] = model.pop('data_preprocessor')
    parts['model'] = model if request.param == 'flat' else nested(model)
    cfg = Config(parts)
    with DefaultScope.overwrite_default_scope('mmdet'):
        built = MODELS.build(cfg.model.copy())
    path = tmp_path_factory.mktemp('saved') / 'epoch_12.pth'
    torch.save({'state_dict': built.state_dict(), 'meta': {'cfg': cfg.pretty_text}}, path)
    return built, path, cfg


@pytest.fixture
def trained(saved, tmp_path):
    """Copies of a checkpoint and its config, for a test to change."""
    built, path, cfg = saved
    cfg = copy.deepcopy(cfg)
    cfg.__dict__['_format_python_code'] = False  # It would take longer than the test.
    return built, shutil.copy(path, tmp_path / path.name), cfg


def test_its_backbone_is_exported_whole(trained, tmp_path):
    built, path, _ = trained
    out = tmp_path / 'backbone.pth'
    assert export_backbone(path, out) == len(built.backbone.state_dict())
    content = torch.load(path)
    del content['state_dict']['backbone.layer3.0.conv1.weight']
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r'1 entries missing \(layer3\.0\.conv1\.weight\)'):
        export_backbone(path, out)


def test_the_plain_detector_reads_what_is_published(trained, tmp_path):
    built, path, _ = trained
    published = read_checkpoint(publish_model(path, tmp_path / 'detector'))['state_dict']
    plain = parse(CONFIGS / 'mask_rcnn/mask-rcnn_r34_auglocal_fpn_adamw_1x_coco.py').model
    slim(plain).backbone.pop('init_cfg')
    with DefaultScope.overwrite_default_scope('mmdet'):
        plain = MODELS.build(plain)
    plain.load_state_dict(published, strict=True)
    # It starts a local run as well, whose auxiliary networks alone are fresh.
    assert 'entries of auxiliary networks' in judge_overlap(built, {'state_dict': published}, path)


def test_a_detector_that_is_not_registered_is_not_imported(trained, tmp_path):
    _, path, cfg = trained
    content = torch.load(path)
    inner = cfg.model.detector
    if isinstance(inner, str):
        cfg.model.detector = 'os.system'
    else:
        inner.type = 'os.system'
    content['meta']['cfg'] = cfg.pretty_text
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"\(model\.detector(\.type)?='os\.system', which is "
                       'not the name of a registered component'):
        publish_model(path, tmp_path / 'detector')


def test_a_vggs_file_may_hold_the_classifier_that_a_detector_lacks(tmp_path):
    """What a VGG was exported with, and nothing else, may be left over."""
    def vgg(**settings):
        with DefaultScope.overwrite_default_scope('mmdet'):
            return MODELS.build({'type': 'mmpretrain.VGG', 'depth': 11, 'num_stages': 2,
                                 'dilations': (1, 1), 'out_indices': (1,), **settings})

    state = {f'backbone.{key}': value for key, value in vgg().state_dict().items()}
    start = {'type': 'Pretrained', 'checkpoint': str(tmp_path / 'vgg.pth'), 'prefix': 'backbone.'}
    for surplus, fits in (('classifier.0.weight', True), ('features.9.conv.weight', False)):
        torch.save({'state_dict': {**state, f'backbone.{surplus}': torch.zeros(2)}},
                   tmp_path / 'vgg.pth')
        backbone = vgg(init_cfg=start)
        if fits:
            verify_pretrained(backbone)
            backbone.init_weights()
            assert all(torch.equal(value, state[f'backbone.{key}'])
                       for key, value in backbone.state_dict().items())
        else:
            with pytest.raises(CheckpointError, match=r'1 not used \(features\.9\.conv\.weight\)'):
                verify_pretrained(backbone)


@pytest.mark.parametrize('named', ['os.system', 'intruder.Detector', ['intruder.Detector']],
                         ids=str)
def test_a_detector_that_is_no_registered_class_is_never_imported(trained, tmp_path, monkeypatch,
                                                                  named):
    _, path, cfg = trained
    (tmp_path / 'intruder.py').write_text(
        f'open({str(tmp_path / "trace")!r}, "w").close()\nclass Detector: pass\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    cfg.model['detector'] = named
    content = torch.load(path)
    content['meta']['cfg'] = cfg.pretty_text
    torch.save(content, path)
    with pytest.raises(CheckpointError, match='model.detector='):
        publish_model(path, tmp_path / 'out')
    assert not (tmp_path / 'trace').exists()
