"""Every config builds, and trains one real step on made data.

Configs whose models are equal, as those of one network on several data sets are,
train one step for all of them. Of the detectors, one of each kind does so with a narrow
backbone. The slow tests train every config at full size, by the tools:

    make test-slow ARGS="tests/test_configs_steps.py -k full_size"
"""
from __future__ import annotations

import os
import re
import shutil
from contextlib import nullcontext

import pytest
import torch
from config_files import (
    CLASSIFIERS,
    CONFIGS,
    DETECTORS,
    LOCAL_DETECTORS,
    MMDETS_OWN,
    dataset_of,
    net_of,
    parse,
    relative,
)
from made_data import make_coco
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope
from mmpretrain.structures import DataSample
from networks import NETWORKS, slim_twins
from small_detectors import scenes, slim
from tool_runs import run_forked

from auglocal_mm.checkpoints import export_backbone
from auglocal_mm.config.walk import dicts_in
from auglocal_mm.console.host_chatter import import_hosts

#: Side of the images, where 16 pixels are too few for the network.
SIDES = {'vgg19': 32, 'resnet34': 64, 'resnet101': 64, 'deit-small': 64, 'convnext-tiny': 64,
         'vgg13': 224}
#: A network with an eighth of its channels or so, as changes of the model; `slim_twins` do more.
SLIM = {'resnet34': {'backbone': {'base_channels': 8, 'stem_channels': 8},
                     'head': {'in_channels': 64}},
        'resnet101': {'backbone': {'base_channels': 8, 'stem_channels': 8},
                      'head': {'in_channels': 256}},
        'vgg19': {'head': {'in_channels': 64}}, 'efficientnet-b0': {'head': {'in_channels': 320}},
        'regnetx-400mf': {'backbone': NETWORKS['RegNet'].cfg, 'head': {'in_channels': 32}},
        'convnext-tiny': {'backbone': {'arch': {'depths': [3, 3, 9, 3],
                                                'channels': [12, 24, 48, 96]}},
                          'head': {'in_channels': 96}},
        'deit-small': {'backbone': {'arch': {'embed_dims': 48, 'num_layers': 12, 'num_heads': 6,
                                             'feedforward_channels': 192}},
                       'head': {'in_channels': 48}}}
SLIM_RESNET110 = {'backbone': {'base_channels': 2, 'stem_channels': 2}, 'head': {'in_channels': 8}}
#: Its other units do as these do; tests/test_configs_models.py proves the plan of all.
SHORT = {'backbone': {**SLIM_RESNET110['backbone'], 'depth': 32}, 'head': {'in_channels': 8}}
#: A hundred million weights in linear layers of fixed size, for images of 224 pixels alone.
SLOW = ('vgg13',)


def representatives():
    """One config for each model; the others of that model are proved equal below."""
    first = {}
    for path in sorted(CLASSIFIERS, key=lambda path: 'cifar10' not in path.name):
        first.setdefault(repr(parse(path).model.to_dict()), path)
    return first


MODELS_OF = representatives()


def build(cfg, changes=None):
    """The model with the data preprocessor in it and its optimizer, as a runner makes them."""
    model = {**cfg.model.to_dict()}
    model.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    for part, settings in (changes or {}).items():
        model[part] = {**model[part], **settings}
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope(cfg.default_scope), (
            slim_twins() if changes else nullcontext()):
        model = MODELS.build(model)
        return model, build_optim_wrapper(model, cfg.optim_wrapper)


def made_batch(side):
    """Three noisy images; two of one class, so that a contrast has its positives."""
    generator = torch.Generator().manual_seed(0)
    return {
        'inputs': list(torch.randint(256, (3, 3, side, side), generator=generator,
                                     dtype=torch.uint8)),
        'data_samples': [DataSample().set_gt_label(label) for label in (3, 7, 3)]}


def train_one_step(cfg, side, changes=None):
    """Every trainable parameter has a finite gradient, and the step moves the weights."""
    model, wrapper = build(cfg, changes)
    model.train()
    faults, zeros = [], set()

    def look(*_):
        for name, parameter in model.named_parameters():
            gradient = parameter.grad
            if parameter.requires_grad and (gradient is None or not gradient.isfinite().all()):
                faults.append(name)
            elif parameter.requires_grad and not gradient.any():
                zeros.add(name)

    wrapper.optimizer.register_step_pre_hook(look)
    stem = next(model.backbone.parameters())
    before = stem.detach().clone()
    log = model.train_step(made_batch(side), wrapper)
    assert all(torch.isfinite(torch.as_tensor(value)) for value in log.values())
    assert ('local_loss' in log) == (model.plan.modules > 1)
    assert not faults
    assert not torch.equal(stem, before)
    return model, zeros


def cells(slow):
    return [pytest.param(path, id=relative(path)) for path in MODELS_OF.values()
            if (net_of(path) in SLOW) == slow]


def slimmer(path):
    """The changes that make a network slim, if it is worth the while."""
    if net_of(path) != 'resnet110':
        return SLIM.get(net_of(path))
    if path.parent.name == 'predsim':
        # Similarities of two channels' features may have no gradient.
        return {'backbone': {'depth': 32}}
    return SLIM_RESNET110 if path == CONFIGS / 'auglocal/resnet110_cifar10.py' else SHORT


def check_step(path, changes=None):
    cfg = parse(path)
    model, zeros = train_one_step(cfg, SIDES.get(net_of(path), 16), changes)
    # InfoPro of ResNet-110 begins with a weight of 0 on its first classifier.
    silent = {name for name in zeros if not name.startswith('auxiliary.stem.layers.')}
    assert not silent
    assert bool(zeros) <= (cfg.model.local.get('lambda2', (1, 1))[0] == 0)
    assert not {name for name, parameter in model.named_parameters()
                if not parameter.requires_grad}


@pytest.mark.parametrize('path', cells(slow=False))
def test_one_step(path):
    check_step(path, slimmer(path))


@pytest.mark.slow
@pytest.mark.parametrize('path', [
    *cells(slow=True), *(pytest.param(path, id=relative(path)) for path in MODELS_OF.values()
                         if slimmer(path))])
def test_one_step_at_full_size(path):
    check_step(path)


@pytest.mark.parametrize('path', CLASSIFIERS, ids=relative)
def test_every_config_has_a_model_that_trains(path):
    """Its model is another one's, key by key, or was trained above itself."""
    stands_for_it = MODELS_OF[repr(parse(path).model.to_dict())]
    assert parse(stands_for_it).model == parse(path).model
    assert net_of(stands_for_it) == net_of(path)
    if dataset_of(path) in ('svhn', 'stl10'):
        assert stands_for_it == path.with_name(f'{net_of(path)}_cifar10.py')
        # Nothing but the data, their number of classes and the schedule is left to differ.
        assert parse(path).default_scope == parse(stands_for_it).default_scope
        assert parse(path).optim_wrapper.type == parse(stands_for_it).optim_wrapper.type


@pytest.mark.parametrize('rule', ['auglocal', 'dgl', 'predsim', 'infopro'])
def test_images_of_96_pixels_train_as_well(rule):
    """Auxiliary networks of a fixed pooled size must fit STL-10's feature maps."""
    train_one_step(parse(CONFIGS / f'{rule}/resnet32_stl10.py'), side=96)


ONE_OF_EACH = [path for path in DETECTORS if re.search(
    r'_r34_auglocal_|_vgg13_auglocal_|_r34-local-k4_', path.name)
    and ('vgg13' not in path.name or path.stem.startswith('retinanet'))]


@pytest.mark.parametrize('path', ONE_OF_EACH, ids=relative)
def test_one_step_of_a_detector(path):
    """What is frozen stays; all else of the backbone and its auxiliary networks learns."""
    cfg = parse(path)
    slim(cfg.model).backbone.pop('init_cfg')
    if path in LOCAL_DETECTORS:
        # Counting where to cut takes longer than all else, and is tested with the other configs.
        cfg.model.local.balance = 'units'
    import_hosts('mmdet.models')
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(cfg.model)
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
        model.train()
        before = {name: value.detach().clone() for name, value in model.named_parameters()}
        frozen = {name for name, value in before.items()
                  if not model.get_parameter(name).requires_grad}
        log = model.train_step(scenes(), wrapper)
    assert all(torch.isfinite(torch.as_tensor(value)) for value in log.values())
    assert ('local_loss' in log) == (path in LOCAL_DETECTORS)
    still = {name for name, value in model.named_parameters() if torch.equal(value, before[name])}
    assert all(value.isfinite().all() for value in model.parameters())
    assert frozen and frozen <= still
    # Elsewhere, a layer without a positive sample has no gradient in a step.
    assert not {name for name in still - frozen if name.startswith(('backbone.', 'auxiliary.'))}
    assert {name.split('.')[0] for name in set(before) - still} >= {'backbone', 'neck'}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """COCO's folders, and backbones with fresh weights as the exporter writes them."""
    folder = tmp_path_factory.mktemp('detectors')
    make_coco(folder)
    for net in ('resnet34', 'resnet101', 'vgg13'):
        cfg = parse(CONFIGS / f'bp/{net}_imagenet.py')
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            model = MODELS.build(cfg.model)
        torch.save({'state_dict': model.state_dict(), 'meta': {'cfg': cfg.pretty_text}},
                   folder / 'trained.pth')
        files = [folder / f'work_dirs/{net}_imagenet_{rule}/backbone.pth'
                 for rule in ('bp', 'auglocal')]
        export_backbone(folder / 'trained.pth', files[0])
        files[1].parent.mkdir(parents=True)
        os.link(*files)
    yield folder
    # pytest would keep two gigabytes.
    shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.parametrize('path', [path for path in DETECTORS if '_bp_' not in path.stem],
                         ids=relative)
def test_one_step_of_a_detector_at_full_size(folder, path):
    """The documented command on one rank: a step on two small images, and an evaluation.

    A config on a backbone by back-propagation differs from AugLocal's in the file alone, as
    tests/test_configs_data.py proves.
    """
    options = ['train_cfg.max_epochs=1', 'train_dataloader.num_workers=0',
               'val_dataloader.num_workers=0', 'default_hooks.logger.interval=1',
               'default_hooks.checkpoint.interval=-1']
    if path in MMDETS_OWN:
        # Not downloaded; and torch keeps no workers where there are none.
        options += ['model.backbone.init_cfg=None', 'train_dataloader.persistent_workers=False',
                    'val_dataloader.persistent_workers=False']
    if 'amp' in path.stem:
        options.append('optim_wrapper.dtype=bfloat16')  # A CPU takes minutes in float16.
    for split in ('train', 'val'):
        key = f'{split}_dataloader.dataset.pipeline'
        for place, step in dicts_in(parse(path)[f'{split}_dataloader'].dataset.pipeline, key):
            options += [f'{place}.{name}={small}' for name, small in (
                ('scale', '(160,120)'), ('scales', '[(160,120)]')) if name in step]
    import_hosts('mmdet.datasets', 'mmdet.models')  # here rather than in every fork
    said = run_forked('tools/train.py', path, '--work-dir', path.stem, '--cfg-options', *options,
                      folder=folder, seconds=900)
    assert re.search(r'Epoch\(train\) +\[1\]\[1/1\].* loss: \d', said)
    assert ('local_loss: ' in said) == (path in LOCAL_DETECTORS)
    assert re.search(r'Epoch\(val\) +\[1\]\[1/1\]', said)
