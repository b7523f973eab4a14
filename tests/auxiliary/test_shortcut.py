"""Shortcuts that run first: in which order gradients come, and that these are the same."""
import copy

import pytest
import torch
from mmpretrain.models.backbones.resnet import BasicBlock, Bottleneck
from torch import nn

from auglocal_mm.auxiliary.shortcut import shortcut_first


def block(kind, *, shortcut=True):
    torch.manual_seed(0)
    down = nn.Sequential(nn.Conv2d(4, 8, 1, bias=False), nn.BatchNorm2d(8)) if shortcut else None
    return kind(4, 8 if shortcut else 4, downsample=down)


@pytest.mark.parametrize('kind', [BasicBlock, Bottleneck])
@pytest.mark.parametrize('shortcut', [True, False])
def test_nothing_changes_but_the_order(kind, shortcut):
    plain = block(kind, shortcut=shortcut)
    ours, found = copy.deepcopy(plain), []
    for each, run in ((plain, plain), (ours, lambda x: shortcut_first(ours, x))):
        order, x = [], torch.rand(2, 4, 5, 5, generator=torch.Generator().manual_seed(1))
        x = x.requires_grad_() * 1
        x.retain_grad()
        for name in ('conv1', 'downsample'):
            if getattr(each, name) is not None:
                getattr(each, name).register_full_backward_hook(
                    lambda *_, name=name, order=order: order.append(name))
        # With other readers before and after, their gradients are added up in the same order.
        (x.exp().sum() / 3 + run(x).square().sum() / 7 + x.sin().sum() / 9).backward()
        found.append([x.grad, *(part.grad for part in each.parameters()), *each.buffers()])
        expected = ['downsample', 'conv1'] if each is plain else ['conv1', 'downsample']
        assert order == [name for name in expected if shortcut or name == 'conv1']
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))
    assert ours.downsample is (ours._modules['downsample'] if shortcut else None)


def test_a_block_is_itself_again_when_it_fails():
    broken = block(BasicBlock)
    broken.conv2 = nn.Conv2d(1, 1, 1)
    with pytest.raises(RuntimeError, match='channels'):
        shortcut_first(broken, torch.rand(2, 4, 5, 5))
    assert 'downsample' not in vars(broken)
