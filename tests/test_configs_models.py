"""Classification configs build what their names and the paper say."""
from functools import cache
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from auglocal_mm.partition import partition
from auglocal_mm.rules import build_rule

CONFIGS = Path(__file__).resolve().parent.parent / 'configs'
FOLDERS = ('bp', 'auglocal', 'dgl', 'predsim', 'infopro')
CLASSIFIERS = sorted(path for folder in FOLDERS for path in CONFIGS.glob(f'{folder}/*.py'))
RULES = dict(zip(FOLDERS, ('Backprop', 'AugLocal', 'DGL', 'PredSim', 'InfoPro')))
UNITS = {'resnet32': 16, 'resnet110': 55, 'vgg19': 16, 'vgg13': 10, 'resnet34': 17,
         'resnet101': 34, 'mobilenet-v2': 19, 'efficientnet-b0': 17, 'regnetx-400mf': 23,
         'deit-small': 13, 'convnext-tiny': 19}


@cache
def parse(path):
    return Config.fromfile(path)


@cache
def plan(path):
    """The plan alone: auxiliary networks of ImageNet's size take seconds to build."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = parse(path).model
        backbone = MODELS.build(model.backbone)
    return build_rule(model.local).plan([layer.spec(backbone) for layer in partition(backbone)])


def relative(path):
    return str(path.relative_to(CONFIGS)) if isinstance(path, Path) else None


@pytest.mark.parametrize('path', CLASSIFIERS, ids=relative)
def test_the_rule_and_the_network_are_those_of_the_name(path):
    cfg, net = parse(path), path.stem.split('_')[0]
    assert cfg.model.local.type == f'auglocal_mm.{RULES[path.parent.name]}'
    assert cfg.optim_wrapper.type == 'auglocal_mm.AugLocalOptimWrapper'
    assert cfg.work_dir == f'work_dirs/{path.stem}_{path.parent.name}'
    assert f'configs/{relative(path)}' in path.read_text()
    local_plan = plan(path)
    assert local_plan.units == UNITS[net]
    rule = path.parent.name
    if rule == 'bp':
        assert local_plan.modules == 1
    elif rule == 'auglocal' and path.stem.split('_')[1] == 'cifar10':
        assert local_plan.modules == local_plan.units - cfg.model.local.depth + 1
    else:
        assert local_plan.modules == local_plan.units


@pytest.mark.parametrize('path', CLASSIFIERS, ids=relative)
def test_configs_of_one_network_differ_in_the_rule_alone(path):
    twin = CONFIGS / 'bp' / f'{path.stem.split("_")[0]}_{path.stem.split("_")[1]}.py'
    if path.stem.startswith(('deit', 'convnext')):
        pytest.skip("mmpretrain's own config stands beside it")
    ours, other = (parse(p).to_dict() for p in (path, twin))
    for cfg in (ours, other):
        for key in ('local', 'work_dir'):
            cfg.pop(key, None)
        cfg['model'].pop('local')
    assert ours == other


@pytest.mark.parametrize(('row', 'stem', 'stage2', 'stage3'), [
    ('', '16R-32R-32R-64R-64R', '32R-64R-64R-64R', '64R-64R-64R'),
    ('_repetitive-ds2', '16R-32R-32R-64R-64R', '32R-32R-32R-32R', '64R-64R-64R'),
    ('_repetitive2', '16R-32R-32R-64R-64R', '32R-32R-32R-32R', '64R-64R-64R'),
    ('_repetitive-ds12', '16R-16R-16R-16R-16R', '32R-32R-32R-32R', '64R-64R-64R'),
    ('_repetitive-ds1-repetitive2', '16R-16R-16R-16R-16R', '32R-32R-32R-32R', '64R-64R-64R'),
    ('_conv3x3-ds', 'AP' + '-16C3' * 6, 'AP' + '-32C3' * 6, 'AP' + '-64C3' * 6),
])
def test_table_5(row, stem, stage2, stage3):
    layers = {layer.name: layer.auxiliary for layer in plan(
        CONFIGS / f'auglocal/resnet110_cifar10{row}.py').layers}
    assert layers['stem'].notation(10) == f'{stem}-AP-10FC'
    assert layers['layer2.9'].notation(10) == f'{stage2}-AP-10FC'
    assert layers['layer3.9'].notation(10) == f'{stage3}-AP-10FC'
    halves = {name: 2 in layers[name].strides for name in ('stem', 'layer2.9')}
    assert halves == {'stem': True, 'layer2.9': row not in (
        '_repetitive2', '_repetitive-ds1-repetitive2')}


def test_table_5_ends_with_dgl():
    assert parse(CONFIGS / 'dgl/resnet110_cifar10.py').model.local == {'type': 'auglocal_mm.DGL'}


def test_table_8_weighs_losses_as_infopro_does():
    ours = parse(CONFIGS / 'auglocal/resnet110_cifar10_infopro-loss.py').model.local
    infopro = parse(CONFIGS / 'infopro/resnet110_cifar10.py').model.local
    assert (ours.second_loss, ours.lambda1, ours.lambda2) == (
        'reconstruction', infopro.lambda1, infopro.lambda2)


@pytest.mark.parametrize(('config', 'notation'), [
    ('auglocal/vgg13_imagenet', '128C3-256C3-512C3-512C3-AP-512FC-512FC-1000FC'),
    ('auglocal/resnet34_imagenet', '128R-256R-256R-512R-AP-1000FC'),
    ('auglocal/deit-small_imagenet', '384T-384T-CLS-1000FC'),
    ('auglocal/convnext-tiny_imagenet', '384CN-768CN-AP-LN-1000FC'),
])
def test_imagenet_stems_learn_through(config, notation):
    assert plan(CONFIGS / f'{config}.py').layers[0].auxiliary.notation(1000) == notation
