"""What holds for execution holds under every rule: equal gradients, freed graphs, autocast."""
import pytest
import torch
from mmengine.optim import OptimWrapper
from networks import NETWORKS
from small import KeepGradients, auglocal, batch, classifier, in_float64, network_classifier

from auglocal_mm import AugLocalOptimWrapper

RULES = {
    'AugLocal + reconstruction': auglocal(3, second_loss='reconstruction', lambda1=(5, 0.5)),
    'AugLocal + similarity': auglocal(3, second_loss='similarity', lambda1=(1, 1)),
    'DGL': {'type': 'auglocal_mm.DGL'},
    'PredSim': {'type': 'auglocal_mm.PredSim'},
    'InfoPro': {'type': 'auglocal_mm.InfoPro'},
    'InfoPro (contrast)': {'type': 'auglocal_mm.InfoPro', 'loss': 'contrast'},
    'Backprop': {'type': 'auglocal_mm.Backprop'},
}


@pytest.mark.parametrize('rule', RULES)
@pytest.mark.parametrize('network', ['CIFAR ResNet-20', 'VisionTransformer'])
def test_immediate_and_joint_gradients_are_equal(rule, network):
    seen, logs = [], []
    for kind in (AugLocalOptimWrapper, OptimWrapper):
        model = in_float64(network_classifier(NETWORKS[network], RULES[rule])).train()
        optimizer = KeepGradients(model)
        data = batch(4, side=32, dtype=torch.float64)
        logs.append(model.train_step(data, kind(optimizer)))
        seen.append(optimizer.seen[0])
    assert seen[0].keys() == seen[1].keys()
    assert all(torch.equal(seen[0][key], seen[1][key]) for key in seen[0])
    assert ('local_loss' in logs[0]) == ('local_loss' in logs[1]) == (rule != 'Backprop')


@pytest.mark.parametrize('rule', RULES)
def test_nothing_is_saved_after_a_modules_backward_pass(rule, monkeypatch):
    model = classifier(RULES[rule]).train()
    alive, left = {'now': 0}, []

    class Handle:
        def __init__(self, tensor):
            self.tensor = tensor
            alive['now'] += 1

        def __del__(self):
            alive['now'] -= 1

    original = AugLocalOptimWrapper.backward_local

    def watched(self, loss):
        assert alive['now'] > 0
        original(self, loss)
        left.append(alive['now'])

    monkeypatch.setattr(AugLocalOptimWrapper, 'backward_local', watched)
    with torch.autograd.graph.saved_tensors_hooks(Handle, lambda handle: handle.tensor):
        model.train_step(batch(), AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), 0.1)))
    assert left == [0] * model.plan.modules


@pytest.mark.parametrize('rule', RULES)
@pytest.mark.parametrize('network', ['CIFAR ResNet-20', 'VisionTransformer'])
def test_bfloat16_trains_every_parameter(rule, network):
    model = network_classifier(NETWORKS[network], RULES[rule]).train()
    optimizer = KeepGradients(model)
    logs = model.train_step(batch(6, side=32), AugLocalOptimWrapper(optimizer, dtype='bfloat16'))
    assert all(torch.isfinite(value) for value in logs.values())
    assert set(optimizer.seen[0]) == set(dict(model.named_parameters()))
    assert all(torch.isfinite(gradient).all() for gradient in optimizer.seen[0].values())
