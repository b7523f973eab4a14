"""The detector's config: where its backbone is, and what would spoil a comparison."""
import argparse
import json
from dataclasses import replace

import pytest
from mmengine.config import DictAction
from transfer_set import DETECTOR, make_backbone

from auglocal_mm.checkpoints import CheckpointError
from auglocal_mm.engine.options import load_config
from auglocal_mm.lab.transfer.backbones import Backbone
from auglocal_mm.lab.transfer.detector import FREEZE, read_detector
from auglocal_mm.lab.transfer.validation_set import read_validation_set

LOCAL = '''
model = dict(type='auglocal_mm.LocalDetector', detector='RetinaNet',
             backbone=dict(type='ResNet', depth=18), local=dict(type='auglocal_mm.AugLocal'))
'''
NESTED = '''
model = dict(type='auglocal_mm.LocalDetector', local=dict(type='auglocal_mm.AugLocal'),
             detector=dict(type='RetinaNet', backbone=dict(type='ResNet', depth=18)))
'''


def read(tmp_path, text=DETECTOR, *options, frozen=False):
    path = tmp_path / 'retinanet.py'
    path.write_text(text)
    return read_detector(str(path), options, frozen=frozen)


def read_options(name, options):
    """The config as tools/train.py sees it with these --cfg-options."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    return load_config(name, cfg_options=parser.parse_args(['--cfg-options', *options]).cfg_options)


@pytest.mark.parametrize(('text', 'place'), [
    (DETECTOR, 'model.backbone'), (LOCAL, 'model.backbone'), (NESTED, 'model.detector.backbone'),
    (DETECTOR.replace('init_cfg=None', "init_cfg=dict(type='Kaiming', layer='Conv2d')"),
     'model.backbone'),
    (DETECTOR.replace('init_cfg=None', "init_cfg=[dict(type='Kaiming', layer='Conv2d')]"),
     'model.backbone'),
], ids=['none', 'local', 'nested', 'dict', 'list'])
def test_a_backbones_weights_go_where_the_backbone_is(tmp_path, text, place):
    detector = read(tmp_path, "default_scope = 'mmdet'\ntrain_cfg = dict(max_epochs=3)\n" + text)
    options = detector.start_from(Backbone('x', tmp_path / 'x.pth'))
    trained = read_options(detector.name, options)
    assert dict(replace(detector, cfg=trained).backbone['init_cfg']) == {
        'type': 'Pretrained', 'prefix': 'backbone.', 'checkpoint': f'{tmp_path}/x.pth'}
    assert all(option.startswith(f'{place}.init_cfg.') for option in options)


def test_an_older_key_for_weights_is_emptied(tmp_path):
    detector = read(tmp_path, DETECTOR, 'model.backbone.pretrained=x.pth')
    assert 'model.backbone.pretrained=None' in detector.start_from(
        Backbone('x', tmp_path / 'x.pth'))


@pytest.mark.parametrize(('options', 'epochs', 'last'), [
    ((), 2, 'epoch_2.pth'),
    (('train_cfg.max_epochs=5',), 5, 'epoch_5.pth'),
    (('train_cfg._delete_=True', 'train_cfg.type=IterBasedTrainLoop', 'train_cfg.max_iters=90',
      'default_hooks.checkpoint.by_epoch=False'), None, 'iter_90.pth'),
    (('default_hooks.checkpoint.filename_tmpl=e{}.pth',), 2, 'e2.pth'),
], ids=['config', 'option', 'iterations', 'own name'])
def test_the_length_of_a_run(tmp_path, options, epochs, last):
    detector = read(tmp_path, DETECTOR, *options)
    assert (detector.epochs, detector.last_checkpoint) == (epochs, last)


def test_frozen_adds_the_hook(tmp_path):
    assert read(tmp_path, frozen=True).options == (FREEZE,)
    with pytest.raises(ValueError, match='--frozen needs a detector that is trained as a whole'):
        read(tmp_path, f"default_scope = 'mmdet'\n{LOCAL}", frozen=True)


@pytest.mark.parametrize(('text', 'options', 'told'), [
    ("model = dict(type='ImageClassifier')", (), "must be the config of an mmdet detector, but the "
     "model of .* is a 'ImageClassifier'"),
    ('', (), 'is a None'),
    (DETECTOR, ('load_from=x.pth',), 'would replace the weights of every backbone; add '
     '--cfg-options load_from=None'),
    (DETECTOR, ('model.init_cfg.type=Pretrained', 'model.init_cfg.checkpoint=x.pth'),
     'model.init_cfg loads x.pth into the whole detector'),
    (DETECTOR, ('model.backbone.init_cfg.type=Pretrained', 'randomness.seed=3'),
     'must leave model.backbone.init_cfg.type, randomness.seed to this tool'),
    (DETECTOR, ('nonsense',), "must be KEY=VALUE, got 'nonsense'"),
    (DETECTOR, ('model.backbone=None',), 'has no backbone of its own'),
    (DETECTOR, ('model.backbone._delete_=True',), 'has no backbone of its own; give one with '
     'model.backbone'),
    (DETECTOR, ('default_hooks.checkpoint=None',), 'saves no checkpoint'),
], ids=['classifier', 'empty', 'load_from', 'init_cfg', 'own keys', 'no value', 'no backbone',
        'empty backbone', 'no checkpoint'])
def test_what_cannot_be_compared_is_refused(tmp_path, text, options, told):
    with pytest.raises(ValueError, match=told):
        read(tmp_path, text, *options)


def test_a_backbone_of_another_architecture_is_refused(here, tmp_path):
    detector = read_detector('retinanet.py', (), frozen=False)
    detector.require_fit([Backbone('a', here / 'a/backbone.pth')])
    other = Backbone('deep', make_backbone(tmp_path / 'deep.pth', depth=34))
    with pytest.raises(CheckpointError, match=r'deep.pth does not cover the backbone of '
                       r'retinanet.py .* not used \(layer1.2'):
        detector.require_fit([Backbone('a', here / 'a/backbone.pth'), other])


@pytest.mark.parametrize(('options', 'told'), [
    (('model.bbox_head.num_classes=80',), 'has 3 classes: model.bbox_head.num_classes=80; set '
     'them to 3'),
    (('train_dataloader.dataset.metainfo.classes=cat,dog,cow,pig',),
     'train_dataloader.dataset.metainfo.classes disagree .*: pig'),
    (('train_dataloader.dataset.metainfo.classes=cat,pig',
      'val_dataloader.dataset.metainfo.classes=cat,pig', 'model.bbox_head.num_classes=2'),
     "1 of the 2 classes of the validation data are no categories of .*: 'pig'; .* 'cat', 'dog'"),
    (('val_evaluator.type=VOCMetric',), r"must be a CocoMetric, got \['VOCMetric'\]"),
    (('val_evaluator.type=LVISMetric',), 'must be a CocoMetric'),
    (('val_evaluator=None',), 'must be a CocoMetric, got None'),
    (('val_evaluator.metric=proposal',), "must contain bbox or segm, got 'proposal'"),
    (('val_evaluator.metric=[bbox,segm]',), r'asks for segm, but 8 of 8 objects in set/val.json '
     'have no mask; set val_evaluator.metric=bbox'),
], ids=['head', 'training', 'categories', 'voc', 'lvis', 'none', 'proposals', 'masks'])
def test_what_cannot_be_judged_is_refused(here, options, told):
    with pytest.raises(ValueError, match=told):
        read_validation_set(read_detector('retinanet.py', options, frozen=False))


@pytest.mark.parametrize(('content', 'told'), [
    ({}, "must be annotations in COCO's format, but has no list of images, annotations, categ"),
    ({'images': [], 'categories': [], 'annotations': [{'image_id': 1, 'category_id': 1,
                                                       'bbox': [0, 0, 1, 1], 'iscrowd': 0}]},
     'annotation 0 in .* has no area, which is needed to evaluate'),
], ids=['empty', 'no area'])
def test_annotations_must_be_complete(here, tmp_path, content, told):
    (tmp_path / 'x.json').write_text(json.dumps(content))
    options = (f'val_evaluator.ann_file={tmp_path}/x.json',)
    with pytest.raises(ValueError, match=told):
        read_validation_set(read_detector('retinanet.py', options, frozen=False))


def test_a_validation_set_knows_what_is_compared(here):
    validation = read_validation_set(read_detector('retinanet.py', (), frozen=False))
    assert (validation.classes, validation.kinds) == (('dog', 'cow', 'cat'), ('bbox',))
    assert (validation.count, validation.objects) == (4, 8)
    assert [number for number, _ in validation.images] == [10, 11, 12, 13]


def test_several_evaluators(here, tmp_path):
    text = DETECTOR.replace("r = dict(type='CocoMetric'", "r = [dict(type='VOCMetric'), "
                            "dict(type='CocoMetric'").replace("val.json')\n", "val.json')]\n")
    assert read_validation_set(read(tmp_path, text)).objects == 8
