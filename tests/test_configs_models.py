"""Classification configs build what their names and the paper say."""
from ast import literal_eval
from functools import cache

import pytest
from config_files import CLASSIFIERS, CONFIGS, HOSTS_OWN, RULES, dataset_of, net_of, parse, relative
from mmengine.registry import MODELS, DefaultScope

from auglocal_mm.partition import partition
from auglocal_mm.rules import build_rule

UNITS = {'resnet32': 16, 'resnet110': 55, 'vgg19': 16, 'vgg13': 10, 'resnet34': 17,
         'resnet101': 34, 'mobilenet-v2': 19, 'efficientnet-b0': 17, 'regnetx-400mf': 23,
         'deit-small': 13, 'convnext-tiny': 19}


def plan(path):
    """The plan alone: auxiliary networks of ImageNet's size take seconds to build."""
    model = parse(path).model
    return build_rule(model.local).plan(specs(repr(model.backbone.to_dict())))


@cache
def specs(config):
    """Shapes of a backbone's units, counted once for each config, given as text."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        backbone = MODELS.build(literal_eval(config))
    return [layer.spec(backbone) for layer in partition(backbone)]


@pytest.mark.parametrize('path', CLASSIFIERS, ids=relative)
def test_the_rule_and_the_network_are_those_of_the_name(path):
    cfg, net = parse(path), net_of(path)
    assert cfg.model.local.type == f'auglocal_mm.{RULES[path.parent.name]}'
    assert cfg.optim_wrapper.type == 'auglocal_mm.AugLocalOptimWrapper'
    assert cfg.work_dir == f'work_dirs/{path.stem}_{path.parent.name}'
    assert f'configs/{relative(path)}' in path.read_text()
    local_plan = plan(path)
    assert local_plan.units == UNITS[net]
    rule = path.parent.name
    if rule == 'bp':
        assert local_plan.modules == 1
    elif rule == 'auglocal' and dataset_of(path) != 'imagenet':
        assert local_plan.modules == local_plan.units - cfg.model.local.depth + 1
    else:
        assert local_plan.modules == local_plan.units


@pytest.mark.parametrize('path', [path for path in CLASSIFIERS if path not in HOSTS_OWN],
                         ids=relative)
def test_configs_of_one_network_differ_in_the_rule_alone(path):
    twin = CONFIGS / 'bp' / f'{net_of(path)}_{dataset_of(path)}.py'
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


@pytest.mark.parametrize(('net', 'lambda1', 'lambda2'), [
    ('resnet110', [5.0, 0.5], [0.0, 1.0]), ('resnet32', [5.0, 0.2], [0.05, 0.5]),
    ('vgg19', [5.0, 0.2], [0.05, 0.5])])
def test_infopro_weighs_its_losses_by_the_network(net, lambda1, lambda2):
    paths = list(CONFIGS.glob(f'infopro/{net}_*.py'))
    assert len(paths) >= 3
    for path in paths:
        local = parse(path).model.local
        assert (list(local.lambda1), list(local.lambda2)) == (lambda1, lambda2)
        assert (local.get('loss', 'softmax') == 'contrast') == path.stem.endswith('_contrast')


@pytest.mark.parametrize(('config', 'notation'), [
    ('auglocal/vgg13_imagenet', '128C3-256C3-512C3-512C3-AP-512FC-512FC-1000FC'),
    ('auglocal/resnet34_imagenet', '128R-256R-256R-512R-AP-1000FC'),
    ('auglocal/deit-small_imagenet', '384T-384T-CLS-1000FC'),
    ('auglocal/convnext-tiny_imagenet', '384CN-768CN-AP-LN-1000FC'),
])
def test_imagenet_stems_learn_through(config, notation):
    assert plan(CONFIGS / f'{config}.py').layers[0].auxiliary.notation(1000) == notation
