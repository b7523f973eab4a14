"""Gradients of every rule on every network against the oracle, in float64."""
import random

import pytest
import torch
from networks import NETWORKS
from oracle import MEAN, STD, oracle_gradients
from small import CLASSES, KeepGradients, auglocal, batch, in_float64, network_classifier

from auglocal_mm import AugLocalOptimWrapper

PREPROCESSOR = {'type': 'ClsDataPreprocessor', 'num_classes': CLASSES, 'mean': MEAN, 'std': STD}
KNOBS = {'kernel_size': (1, 3), 'width': (0.5, 1.0, 2.0)}


def drawn_rule(dice, name):
    """Settings of a rule, and the weights λ1 and λ2 that the oracle is to use."""
    local = {'type': f'auglocal_mm.{name}'}
    if name == 'Backprop':
        return local, (0, 0), (1, 1)
    local['modules'] = dice.choice([None, 2, 4])
    if name == 'AugLocal':
        local.update(depth=dice.randint(2, 4), tau=dice.uniform(0, 1),
                     selection=dice.choice(['uniform', 'sequential', 'repetitive']))
        if dice.random() < 0.5:
            local['block'] = 'conv3x3'
        second = dice.choice([None, 'reconstruction', 'similarity'])
        if second is None:
            return local, (0, 0), (1, 1)
        local['second_loss'] = second
    else:
        local.update({key: dice.choice(values) for key, values in KNOBS.items()})
        local['depth'] = dice.randint(2, 6)
    if name == 'DGL':
        return local, (0, 0), (1, 1)
    if name == 'InfoPro':
        local['loss'] = dice.choice(['softmax', 'contrast'])
    for key in ('lambda1', 'lambda2'):
        local[key] = dice.uniform(0.1, 5), dice.uniform(0.1, 5)
    return local, local['lambda1'], local['lambda2']


def train_step_gradients(model, data):
    optimizer = KeepGradients(model)
    model.train_step(data, AugLocalOptimWrapper(optimizer))
    return optimizer.seen[0]


NAMED = {
    'reconstruction': auglocal(3, second_loss='reconstruction', lambda1=(5, 0.5), lambda2=(0, 1)),
    'similarity': auglocal(3, second_loss='similarity', lambda1=(0.7, 2), lambda2=(0.3, 1)),
    'sequential': auglocal(4, tau=0.7, selection='sequential'),
    'repetitive': auglocal(3, selection='repetitive', downsample=False),
    'convolutions': auglocal(3, block='conv3x3', width=1.5),
    "DGL's networks": auglocal(3, selection='dgl'),
    'DGL': {'type': 'auglocal_mm.DGL'},
    'PredSim': {'type': 'auglocal_mm.PredSim', 'lambda1': (0.9, 0.4), 'lambda2': (0.1, 0.6)},
    'InfoPro': {'type': 'auglocal_mm.InfoPro', 'lambda1': (5, 0.2), 'lambda2': (0.05, 0.5)},
    'contrast': {'type': 'auglocal_mm.InfoPro', 'loss': 'contrast', 'lambda1': (5, 0.5),
                 'lambda2': (0.2, 1)},
}


def check(network, local, images, lambda1, lambda2):
    model = in_float64(network_classifier(network, local, data_preprocessor=PREPROCESSOR)).train()
    expected = oracle_gradients(model, images, network, lambda1=lambda1, lambda2=lambda2)
    got = train_step_gradients(model, images)
    assert set(got) == set(dict(model.named_parameters())) == set(expected)
    for key in expected:
        torch.testing.assert_close(got[key], expected[key], rtol=1e-7, atol=1e-10, msg=key)
    return got


#: One for each kind of loss and of network; with its many weights, the others take half the time.
OF_MOBILENET = ('similarity', 'repetitive', 'PredSim', 'contrast')
KINDS = ('CIFAR ResNet-20', 'RegNet', 'VisionTransformer', 'ConvNeXt', 'Sequential')


def is_dear(network, name):
    """Whether a test is slow: each name meets half of the networks, each network half the names."""
    if network == 'MobileNetV2':
        return name not in OF_MOBILENET
    return (list(NAMED).index(name) + KINDS.index(network)) % 2 == 1


@pytest.mark.parametrize(('network', 'name'), [
    pytest.param(network, name, marks=pytest.mark.slow if is_dear(network, name) else ())
    for name in NAMED for network in (*KINDS, 'MobileNetV2')])
def test_every_loss_and_strategy_by_name(network, name):
    local, network = NAMED[name], NETWORKS[network]
    images = batch(4, side=network.side, seed=5, dtype=torch.float64)
    got = check(network, local, images, local.get('lambda1', (0, 0)), local.get('lambda2', (1, 1)))
    weights = [key for key in got if key.startswith('auxiliary.') and key.endswith('fc.weight')]
    moved = [key for key in weights if got[key].abs().max() > 1e-6]
    assert len(moved) >= len(weights) - 1  # λ2 starts at 0 in one of the cases


RULES = ['AugLocal', 'DGL', 'PredSim', 'InfoPro', 'Backprop']
#: Of these networks of many units, each rule meets one of a kind; the other is slow.
DEAR = {'ResNet-50': ('AugLocal', 'DGL', 'PredSim'), 'ResNetV1d-50': ('InfoPro', 'Backprop'),
        'MobileNetV2': ('AugLocal', 'InfoPro', 'Backprop'), 'EfficientNet': ('DGL', 'PredSim')}


@pytest.mark.parametrize(('network', 'rule', 'seed'), [
    pytest.param(network, rule, seed, marks=() if not seed and rule in DEAR.get(network, RULES)
                 else pytest.mark.slow)
    for network in NETWORKS for rule in RULES for seed in range(3)])
def test_gradients_are_those_of_modules_trained_alone(network, rule, seed):
    """Each network meets each rule with settings of its own."""
    dice = random.Random(f'{network} {rule} {seed}')
    local, lambda1, lambda2 = drawn_rule(dice, rule)
    if network == 'VisionTransformer' and rule == 'AugLocal':
        local['downsample'] = 'block' in local  # its own blocks cannot
    network = NETWORKS[network]
    images = batch(dice.randint(3, 5), side=network.side, seed=dice.randint(0, 9),
                   dtype=torch.float64)
    check(network, local, images, lambda1, lambda2)
