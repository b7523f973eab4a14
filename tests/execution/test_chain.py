"""The chain: any part of a run, from any carry, gives what the whole run gives."""
import weakref
from collections import namedtuple
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from networks import NETWORKS
from ranks import run_ranks
from small import auglocal, batch, classifier, gradients, in_float64, network_classifier

from auglocal_mm import AugLocalOptimWrapper
from auglocal_mm.execution import Carry, Chain, drive, local_steps
from auglocal_mm.execution.carry import flat
from auglocal_mm.execution.messages import receive, send
from auglocal_mm.partition import partition
from auglocal_mm.plan import LocalPlan

CHAINS = ['CIFAR ResNet-20', 'VisionTransformer', 'ConvNeXt', *(
    pytest.param(name, marks=pytest.mark.slow) for name in ('VGG11', 'EfficientNet'))]


def build(network='CIFAR ResNet-20', local=None):
    return in_float64(network_classifier(NETWORKS[network], local or auglocal(2))).train()


def learn(step):
    if step.losses:
        sum(value for name, value in step.losses.items() if 'loss' in name).backward()


def train(model, carry, targets, modules):
    """Run the modules and their backward passes; return the carry after them."""
    return drive(local_steps(model, carry, targets, modules=modules), learn)


def whole(model, data):
    targets = model.task.batch(model, **data)
    train(model, Carry(features=data['inputs']), targets, None)
    return gradients(model)


@pytest.mark.parametrize('network', CHAINS)
def test_a_run_may_be_cut_after_any_module(network):
    data = batch(4, side=32, dtype=torch.float64)
    expected = whole(build(network), data)
    for cut in (1, 5):
        model = build(network)
        targets = model.task.batch(model, **data)
        carry = train(model, Carry(features=data['inputs']), targets, range(cut))
        assert not carry.requires_grad
        carry = Carry.unpack(*carry.pack())
        train(model, carry, targets, range(cut, model.plan.modules))
        seen = gradients(model)
        assert seen.keys() == expected.keys()
        assert all(torch.equal(seen[key], expected[key]) for key in seen)


def test_a_module_that_is_run_from_another_ones_carry_is_refused():
    model, data = build(), batch(dtype=torch.float64)
    with pytest.raises(ValueError, match='module 2 must start at unit 2, got a carry that stands '
                                         'at unit 0'):
        model.chain.run(model.backbone, 2, Carry(features=data['inputs']))


def test_a_plan_of_other_units_is_refused():
    model = build()
    units = partition(model.backbone)
    specs = [unit.spec(model.backbone) for unit in units]
    with pytest.raises(ValueError, match="backbone's 10 units, got 9 units: stem"):
        Chain(units=units, plan=LocalPlan.assemble(specs[:-1], [0] * 9, {}))


@pytest.mark.parametrize('network', CHAINS)
def test_no_path_is_walked_by_torch_in_a_step(network, monkeypatch):
    """A walk of ``get_submodule`` per unit cost more than the look-ups that it stands for."""
    model, data = build(network), batch(4, side=32, dtype=torch.float64)
    targets = model.task.batch(model, **data)

    def refuse(self, path):
        raise AssertionError(f'get_submodule({path!r}) was called')
    monkeypatch.setattr(torch.nn.Module, 'get_submodule', refuse)
    train(model, Carry(features=data['inputs']), targets, None)


def test_a_replaced_module_is_found_by_the_next_call():
    model, data = build(), batch(4, dtype=torch.float64)
    before = model.chain.run(model.backbone, 0, Carry(features=data['inputs'])).end
    model.backbone.conv1 = torch.nn.Conv2d(3, 4, 3, padding=1, bias=False).double()
    after = model.chain.run(model.backbone, 0, Carry(features=data['inputs'])).end
    assert not torch.equal(before, after)


RESNET18 = {'type': 'ResNet', 'depth': 18, 'stem_channels': 4, 'base_channels': 2,
            'out_indices': (0, 1, 2, 3)}


def test_outputs_of_earlier_stages_are_cut_off_and_their_graphs_are_gone():
    """A neck reads them all; one that kept its history would keep its module alive."""
    model = classifier(auglocal(2, modules=9), backbone=RESNET18).train()
    data = batch(4, side=32)
    targets = model.task.batch(model, **data)
    carry, saved = Carry(features=data['inputs']), []

    class Handle:
        def __init__(self, tensor):
            self.tensor = tensor
            saved.append(None)

        def __del__(self):
            saved.pop()

    for module in range(8):
        with torch.autograd.graph.saved_tensors_hooks(Handle, lambda handle: handle.tensor):
            carry = train(model, carry, targets, range(module, module + 1))
        assert not saved
        assert not any(output.requires_grad for output in carry.outputs)
        assert all(output.grad_fn is None for output in carry.outputs)
    assert len(carry.outputs) == 3


def test_features_that_are_also_an_output_stay_one_tensor():
    x = torch.randn(2, 3, requires_grad=True)
    carry = Carry(features=x * 2, unit=4)
    carry = Carry(features=carry.features, outputs=(torch.zeros(1), carry.features), unit=4)
    cut = carry.detach()
    for each in (cut, Carry.unpack(*cut.pack())):
        assert each.features is each.outputs[1] and each.unit == 4
    record, tensors = cut.pack()
    assert len(tensors) == len(record.layouts) == 2


Pair = namedtuple('Pair', 'a b')


def test_whatever_holds_tensors_is_cut_off_or_refused():
    x = torch.randn(2, requires_grad=True) * 2
    nested = ([x, Pair(x, None)], {'deep': (x, 3, 'text', True)})
    cut = Carry(features=x.detach(), outputs=nested).detach()
    assert not cut.requires_grad and Carry(features=x.detach(), outputs=nested).requires_grad
    (first, pair), deep = cut.outputs
    assert type(pair) is Pair and pair.a is first is deep['deep'][0]
    assert deep['deep'][1:] == (3, 'text', True)
    back = Carry.unpack(*cut.pack())
    assert torch.equal(back.outputs[0][1].a, x)
    with pytest.raises(TypeError, match='tuples, lists or dicts of them, got SimpleNamespace'):
        Carry(features=x, outputs=(SimpleNamespace(x=x),)).detach()


def test_a_carry_with_a_history_cannot_be_packed():
    """After a module without a loss there is no boundary; to send would lose its gradients."""
    model = classifier(auglocal(3), backbone={**RESNET18, 'frozen_stages': 1}).train()
    model.backbone.requires_grad_(True)
    data = batch(4, side=32)
    carry = train(model, Carry(features=data['inputs']), model.task.batch(model, **data), range(1))
    with pytest.raises(ValueError, match='got one with a history at unit 1; end the run after a'):
        carry.pack()


def test_nothing_of_a_module_is_alive_while_the_next_one_runs(monkeypatch):
    """Some of mmcv's operators keep tensors on their context, which backward does not free."""
    alive, seen = weakref.WeakSet(), []

    class Keeps(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.big = x.detach().clone()
            alive.add(ctx.big)
            return x * 1

        @staticmethod
        def backward(ctx, gradient):
            return gradient

    model, data = build(), batch(4, dtype=torch.float64)
    original = Chain.run

    def run(self, *args):
        seen.append(len(alive))
        passage = original(self, *args)
        return replace(passage, read={
            unit: Keeps.apply(features) for unit, features in passage.read.items()})
    monkeypatch.setattr(Chain, 'run', run)
    model.train_step(data, AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), 0.1)))
    assert seen == [0] * model.plan.modules


@pytest.mark.parametrize('tensor', [
    torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    torch.randn(3, 4).T, torch.randn(2, 6)[:, ::2], torch.randn(5, 1, 2).expand(5, 3, 2),
    torch.randn(0, 3), torch.tensor(7), torch.randn(3)[1:],
], ids=['plain', 'channels last', 'transposed', 'gaps', 'expanded', 'empty', 'scalar', 'offset'])
def test_a_received_tensor_has_the_same_values_in_the_same_layout(tensor):
    record, (sent,) = Carry(features=tensor).pack()
    received = record.layouts[0].empty('cpu')
    flat(received).copy_(flat(sent))
    assert torch.equal(received, tensor)
    dense = tensor.stride() if flat(tensor).data_ptr() == tensor.data_ptr() and tensor.numel() \
        else tensor.contiguous().stride()
    assert received.stride() == dense


def rank_of_two(rank, network):
    """Rank 0 trains the first modules and sends the carry; rank 1 trains the others."""
    model, data = build_for_ranks(network), batch(4, side=32, dtype=torch.float64)
    targets = model.task.batch(model, **data)
    cut = model.plan.modules // 2
    if rank == 0:
        send(train(model, Carry(features=data['inputs']), targets, range(cut)), 1).wait()
    else:
        train(model, receive(0), targets, range(cut, model.plan.modules))
    return gradients(model)


def build_for_ranks(network):
    name, _, layout = network.partition(', ')
    model = build(name)
    return model.to(memory_format=torch.channels_last) if layout else model


@pytest.mark.parametrize('network', [
    'CIFAR ResNet-20', 'CIFAR ResNet-20, channels last', 'VisionTransformer'])
def test_ranks_that_hand_over_a_carry_have_the_gradients_of_one(network):
    expected = whole(build_for_ranks(network), batch(4, side=32, dtype=torch.float64))
    first, second = run_ranks(rank_of_two, network)
    assert not first.keys() & second.keys()
    seen = {**first, **second}
    assert seen.keys() == expected.keys()
    assert all(torch.equal(seen[key], expected[key]) for key in seen)
