"""Every classification config builds, and trains one real step on made data.

Configs whose models are equal, as those of one network on several data sets are,
train one step for all of them.
"""
from __future__ import annotations

import pytest
import torch
from config_files import CLASSIFIERS, CONFIGS, dataset_of, net_of, parse, relative
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope
from mmpretrain.structures import DataSample

#: Side of the images, where 16 pixels are too few for the network.
SIDES = {'vgg19': 32, 'resnet34': 64, 'resnet101': 64, 'deit-small': 64, 'convnext-tiny': 64,
         'vgg13': 224}
#: The network's own shape with an eighth of its channels.
SLIM = {'resnet34': {'base_channels': 8, 'stem_channels': 8},
        'resnet101': {'base_channels': 8, 'stem_channels': 8}}
#: A hundred million weights in linear layers of fixed size, for images of 224 pixels alone.
SLOW = ('vgg13',)


def representatives():
    """One config for each model; the others of that model are proved equal below."""
    first = {}
    for path in sorted(CLASSIFIERS, key=lambda path: 'cifar10' not in path.name):
        first.setdefault(repr(parse(path).model.to_dict()), path)
    return first


MODELS_OF = representatives()


def build(cfg, options=None):
    """The model with the data preprocessor in it and its optimizer, as a runner makes them."""
    model = {**cfg.model.to_dict()}
    model.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    model['backbone'] = {**model['backbone'], **(options or {})}
    if options:
        model['head'] = {**model['head'], 'in_channels': model['head']['in_channels'] // 8}
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(model)
        return model, build_optim_wrapper(model, cfg.optim_wrapper)


def made_batch(side):
    """Three noisy images; two of one class, so that a contrast has its positives."""
    generator = torch.Generator().manual_seed(0)
    return {
        'inputs': list(torch.randint(256, (3, 3, side, side), generator=generator,
                                     dtype=torch.uint8)),
        'data_samples': [DataSample().set_gt_label(label) for label in (3, 7, 3)]}


def train_one_step(cfg, side, options=None):
    """Every trainable parameter has a finite gradient, and the step moves the weights."""
    model, wrapper = build(cfg, options)
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


def check_step(path, options=None):
    cfg = parse(path)
    model, zeros = train_one_step(cfg, SIDES.get(net_of(path), 16), options)
    # InfoPro of ResNet-110 begins with a weight of 0 on its first classifier.
    silent = {name for name in zeros if not name.startswith('auxiliary.stem.layers.')}
    assert not silent
    assert bool(zeros) <= (cfg.model.local.get('lambda2', (1, 1))[0] == 0)
    assert not {name for name, parameter in model.named_parameters()
                if not parameter.requires_grad}


@pytest.mark.parametrize('path', cells(slow=False))
def test_one_step(path):
    check_step(path, SLIM.get(net_of(path)))


@pytest.mark.slow
@pytest.mark.parametrize('path', [
    *cells(slow=True), *(pytest.param(path, id=relative(path)) for path in MODELS_OF.values()
                         if net_of(path) in SLIM)])
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
