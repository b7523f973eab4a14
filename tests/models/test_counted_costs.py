"""Modules cut by their costs: what is counted, and what training then keeps."""
from itertools import product
from types import SimpleNamespace

import pytest
import torch
from networks import NETWORKS
from small import auglocal, network_classifier

from auglocal_mm.execution import Carry
from auglocal_mm.lab.measure.memory import SavedActivations
from auglocal_mm.models.counted_costs import IMAGES, module_costs
from auglocal_mm.partition import feature_map, image_side, partition

RULES = {
    'AugLocal': auglocal(3, tau=1.0), 'DGL': {'type': 'auglocal_mm.DGL'},
    'PredSim': {'type': 'auglocal_mm.PredSim'}, 'InfoPro': {'type': 'auglocal_mm.InfoPro'}}


def _is_saved(counter, tensor):
    return ('cpu', tensor.untyped_storage().data_ptr()) in counter._holders


def saved_bytes(model, side):
    """What each module saves, run for real: its units, its networks, the head."""
    images = torch.randn(IMAGES, 3, side, side)
    targets = SimpleNamespace(images=images, scores=torch.rand(IMAGES, 2))
    carry, found = Carry(features=images), []
    for module, span in enumerate(model.plan.spans):
        with SavedActivations([*model.parameters(), *model.buffers()]) as counter:
            passage = model.chain.run(model.backbone, module, carry)
            alive = []
            for loss in span.losses:
                network, x = model.auxiliary[loss.key], passage.read[loss.unit]
                alive.append(network(x))
                if network.second is not None:
                    alive.append(network.second(feature_map(x), getattr(
                        targets, network.second.target)))
            if module == model.plan.modules - 1:
                alive.append(model.head_logits(passage.carry.outputs))
            # What the backbone has returned is held, whether or not anything saves it.
            held = [output for output in passage.carry.outputs if not _is_saved(counter, output)]
            found.append(counter.live_bytes + sum(each.untyped_storage().nbytes()
                                                  for each in held))
        carry = passage.carry.detach()
    return found


def _cases():
    """A few rules and families; every pair of them in slow runs."""
    quick = {('AugLocal', 'VisionTransformer'), ('InfoPro', 'CIFAR ResNet-20')}
    return [pytest.param(*case, marks=[] if case in quick else pytest.mark.slow)
            for case in product(RULES, NETWORKS)]


@pytest.mark.parametrize(('rule', 'network'), _cases())
def test_a_module_keeps_what_was_counted(rule, network):
    settings = {**RULES[rule], 'modules': 3, 'balance': 'memory'}
    model = network_classifier(NETWORKS[network], settings).train()
    side = NETWORKS[network].side
    counted = [cost.bytes for cost in module_costs(model, shape=(side, side)).modules]
    assert counted == saved_bytes(model, side)


def test_a_cut_by_memory_is_the_plan_of_its_named_ends():
    """The weights as well: counting draws no random numbers."""
    cut = network_classifier(NETWORKS['ResNet-18'], auglocal(2, modules=3, balance='memory'))
    named = network_classifier(NETWORKS['ResNet-18'], auglocal(
        2, modules=list(cut.plan.module_names[:-1])))
    assert cut.plan == named.plan
    assert all(torch.equal(value, named.state_dict()[key])
               for key, value in cut.state_dict().items())


def test_nothing_is_counted_for_an_even_split(monkeypatch):
    monkeypatch.setattr('auglocal_mm.models.local_training.count_costs', None)
    model = network_classifier(NETWORKS['CIFAR ResNet-20'], auglocal(2, modules=3))
    assert [span.stop for span in model.plan.spans] == [3, 6, 10]


def test_frozen_units_cost_one_pass_and_no_memory():
    model = network_classifier(NETWORKS['ResNet-18'], auglocal(
        2, modules=2, balance='time'), freeze=True)
    thawed = network_classifier(NETWORKS['ResNet-18'], auglocal(
        2, modules=list(model.plan.module_names[:1])))
    costs, other = (module_costs(each, shape=(32, 32)) for each in (model, thawed))
    assert costs.modules[0].bytes < other.modules[0].bytes
    assert costs.modules[0].flops < other.modules[0].flops
    assert costs.modules[1].bytes == other.modules[1].bytes
    assert costs.modules[1].flops == other.modules[1].flops


@pytest.mark.parametrize(('network', 'side'), [
    ('CIFAR ResNet-20', 32), ('ResNet-18', 224), ('VisionTransformer', 32),
    ('SwinTransformer', 224)])
def test_images_are_of_the_size_that_the_backbone_is_made_for(network, side):
    backbone = NETWORKS[network].build()
    assert image_side(backbone, [unit.stride for unit in partition(backbone)]) == (side, side)
