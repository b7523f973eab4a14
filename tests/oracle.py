"""The oracle: every local module trained alone by plain autograd, every loss rewritten.

Slow, and without the package's partition, execution or losses. From the package
come only the weights: the auxiliary networks as they were built.
"""
from __future__ import annotations

import copy
import math
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from networks import Network
from small import labels_of

from auglocal_mm.partition import Tokens


def similarity_reference(features, scores, weight):
    """Nested loops over images; one convolution by unfolding."""
    batch, channels, height, width = features.shape
    columns = F.unfold(features, 3, padding=1)
    maps = (weight.reshape(channels, -1) @ columns)
    spreads = []
    for image in maps:
        mean = image.mean(dim=1, keepdim=True)
        positions = height * width
        spreads.append(((image - mean) ** 2).sum(dim=1).div(max(1, positions - 1)).sqrt()
                       if positions > 1 else image.sum(dim=1) * 0)

    def cosine(a, b):
        a, b = a - a.mean(), b - b.mean()
        norms = max(float(a.detach().norm()), 1e-12), max(float(b.detach().norm()), 1e-12)
        if min(norms) <= 1e-12:
            return (a * b).sum() * 0
        return (a * b).sum() / (a.norm() * b.norm())

    total = 0
    for i in range(batch):
        for j in range(batch):
            own = cosine(spreads[i], spreads[j]).clamp(-1, 1)
            total = total + (own - cosine(scores[i], scores[j]).clamp(-1, 1)) ** 2
    return total / batch ** 2


def reconstruction_reference(features, images, decoder, mean, std):
    """Upsampling by two matrices, the cross entropy by its definition."""
    def matrix(small, large):
        rows = torch.zeros(large, small, dtype=features.dtype)
        for i in range(large):
            position = i * (small - 1) / max(1, large - 1)
            low = min(int(math.floor(position)), small - 1)
            high = min(low + 1, small - 1)
            rows[i, low] += 1 - (position - low)
            rows[i, high] += position - low
        return rows

    height, width = images.shape[-2:]
    x = matrix(features.shape[2], height) @ features @ matrix(features.shape[3], width).T
    first, norm, _, second = decoder
    x = F.conv2d(x, first.weight, first.bias, padding=1)
    x = F.batch_norm(x, None, None, norm.weight, norm.bias, training=True, eps=norm.eps)
    x = torch.sigmoid(F.conv2d(x.clamp(min=0), second.weight, second.bias, padding=1))
    pixels = images * torch.tensor(std).view(-1, 1, 1) + torch.tensor(mean).view(-1, 1, 1)
    target = (pixels / 255).clamp(0, 1)
    return -(target * x.log() + (1 - target) * (1 - x).log()).mean()


def contrastive_reference(embeddings, labels, temperature=0.07):
    """Loops over anchors and their partners."""
    unit = [vector / vector.norm() for vector in embeddings]
    losses = []
    for i, anchor in enumerate(unit):
        others = [j for j in range(len(unit)) if j != i]
        partners = [j for j in others if labels[j] == labels[i]]
        if not partners:
            continue
        scores = {j: (anchor * unit[j]).sum() / temperature for j in others}
        norm = torch.logsumexp(torch.stack(list(scores.values())), dim=0)
        losses.append(sum(norm - scores[j] for j in partners) / len(partners))
    return sum(losses) / len(losses) if losses else embeddings.sum() * 0


def weight_reference(ends, index, count):
    return ends[0] if count == 1 else (ends[0] * (count - 1 - index) + ends[1] * index) / (
        count - 1)


def oracle_gradients(model, data, network: Network, *, lambda1=(0, 0), lambda2=(1, 1),
                     precision=nullcontext, scale=1):
    """Gradients of every trainable parameter, each module alone from recorded activations.

    Args:
        lambda1, lambda2: First and last weight of the second loss and of the first one.
        precision: Returns the context of forward passes.
        scale: Multiplies losses, and divides gradients.
    """
    model = copy.deepcopy(model)
    labels, images = labels_of(data), data['inputs']
    units, finish = network.walk(model.backbone)
    recorded = [images]
    probe, _ = network.walk(copy.deepcopy(model.backbone))
    with torch.no_grad(), precision():
        for _, unit in probe:
            recorded.append(unit(recorded[-1]))

    plan = [layer.module for layer in model.plan.layers]
    assert [layer.name for layer in model.plan.layers] == [name for name, _ in units]
    taught = [i for i, layer in enumerate(model.plan.layers) if layer.auxiliary]
    waiting = []  # units of modules without a loss, which the next loss trains
    for module in sorted(set(plan)):
        members = waiting + [i for i, owner in enumerate(plan) if owner == module]
        x = recorded[members[0]].detach().clone()
        with precision():
            for i in members:
                x = units[i][1](x)
            if module == plan[-1]:
                loss = F.cross_entropy(model.head.fc(finish(x)), labels)
            elif members[-1] in taught:
                loss = local_loss(model, units[members[-1]][0], x, images, labels,
                                  taught.index(members[-1]), len(taught), lambda1, lambda2)
            else:
                waiting = members
                continue
        waiting = []
        if loss.requires_grad:  # otherwise everything that it could train is frozen
            (scale * loss).backward()
    return {name: parameter.grad / scale for name, parameter in model.named_parameters()
            if parameter.grad is not None}


def local_loss(model, name, x, images, labels, index, count, lambda1, lambda2):
    auxiliary = model.auxiliary[name.replace('.', '_')]
    grid = math.isqrt(x.shape[1]) if x.ndim == 3 else 0
    features = Tokens(x, (grid, grid), x.shape[1] - grid * grid) if grid else x
    maps = x[:, -grid * grid:].transpose(1, 2).unflatten(2, (grid, grid)) if grid else x
    output = auxiliary(features)
    if auxiliary.contrastive is None:
        loss = F.cross_entropy(output, labels)
    else:
        loss = contrastive_reference(output, labels)
    loss = weight_reference(lambda2, index, count) * loss
    if auxiliary.second is None:
        return loss
    weight = weight_reference(lambda1, index, count)
    if hasattr(auxiliary.second, 'decoder'):
        second = reconstruction_reference(maps, images, auxiliary.second.decoder, MEAN, STD)
    else:
        scores = torch.eye(4, dtype=x.dtype)[labels]
        second = similarity_reference(maps, scores, auxiliary.second.conv.weight)
    return loss + weight * second


#: Of the data preprocessor that the tests of reconstruction use.
MEAN, STD = (100.0, 110.0, 120.0), (50.0, 60.0, 70.0)
