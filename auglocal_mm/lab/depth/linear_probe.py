"""Linear probes: the accuracy of a linear classifier on frozen features."""
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

#: Weight of the squared norm; features have unit variance.
L2 = 1e-3
_STEPS = 200


@dataclass(frozen=True)
class LinearProbe:
    """Multinomial logistic regression on standardised features.

    Attributes:
        mean, scale: Mean and standard deviation of the training features [C].
        weight: [classes×C].
        bias: [classes].
    """
    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor

    def logits(self, features: Tensor) -> Tensor:
        """Compute class logits [N×classes] of features [N×C]."""
        return (features.double() - self.mean) / self.scale @ self.weight.T + self.bias

    def accuracy(self, features: Tensor, labels: Tensor) -> float:
        """Compute the top-1 accuracy in percent."""
        return 100 * float((self.logits(features).argmax(dim=1) == labels).double().mean())


def fit_probe(features: Tensor, labels: Tensor, *, classes: int, l2: float = L2) -> LinearProbe:
    """Fit a probe: the minimum over W, b of mean cross entropy + l2/2·‖W‖² (a convex problem).

    The fit runs in float64 by L-BFGS from zero, so equal features give equal probes.
    A feature that does not vary is only centred.

    Args:
        features: Features of the training images [N×C].
        labels: Class indices [N].
        classes: Number of classes.
        l2: Weight of the squared norm, above 0.

    Raises:
        ValueError: The weight is impossible, or features and labels do not match.
    """
    if not l2 > 0:
        raise ValueError(f'l2 must be above 0, so that the minimum is unique, got {l2}')
    if features.dim() != 2 or len(features) != len(labels) or not len(labels):
        raise ValueError('features must be [N×C] with N labels, N at least 1, got '
                         f'{tuple(features.shape)} and {len(labels)} labels')
    x = features.double()
    mean, scale = x.mean(dim=0), x.std(dim=0, correction=0)
    scale = torch.where(scale > 1e-12, scale, torch.ones_like(scale))
    x = (x - mean) / scale
    weight = x.new_zeros(classes, x.shape[1], requires_grad=True)
    bias = x.new_zeros(classes, requires_grad=True)
    solver = torch.optim.LBFGS([weight, bias], max_iter=_STEPS, tolerance_grad=1e-6,
                               tolerance_change=1e-10, line_search_fn='strong_wolfe')

    def objective() -> Tensor:
        solver.zero_grad()
        loss = cross_entropy(x @ weight.T + bias, labels) + l2 / 2 * weight.square().sum()
        loss.backward()
        return loss

    # The caller may have switched gradients off, as for the features.
    with torch.enable_grad():
        solver.step(objective)  # type: ignore[no-untyped-call]
    return LinearProbe(mean, scale, weight.detach(), bias.detach())
