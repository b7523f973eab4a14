import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from auglocal_mm.lab.measure.memory import BYTES_PER_MIB, SavedActivations, saved_activations_mb

FLOAT = 4


def bytes_of(step, model: nn.Module | None = None) -> int:
    return round(saved_activations_mb(step, exclude=model) * BYTES_PER_MIB)


def test_counts_what_a_linear_layer_saves():
    layer = nn.Linear(5, 3)
    x = torch.randn(7, 5)
    # The weight's gradient needs the input; the input needs no gradient.
    assert bytes_of(lambda: layer(x).sum().backward(), layer) == 7 * 5 * FLOAT


def test_counts_a_storage_once():
    x = torch.randn(6, requires_grad=True)
    y = torch.randn(6, requires_grad=True)
    # Each product saves both factors: four saves of two storages.
    assert bytes_of(lambda: (x * y + x[:3].sum() * y).sum().backward()) == (
        # x, y, and the sum that the second product needs
        6 * FLOAT + 6 * FLOAT + FLOAT)


def test_counts_views_as_their_whole_storage():
    x = torch.randn(100, requires_grad=True)
    assert bytes_of(lambda: x[:1].exp().sin().sum().backward()) == FLOAT + 0 * 100
    assert bytes_of(lambda: (x[:1] ** 2).sum().backward()) == 100 * FLOAT


@pytest.mark.parametrize('count', [True, False])
def test_excludes_parameters_and_buffers(count):
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.BatchNorm1d(4))
    model.eval()
    x = torch.randn(2, 4)

    def step() -> None:
        model(x).sum().backward()

    saved = 2 * 4 * FLOAT * 2  # the inputs of both layers
    persistent = 3 * 4 * FLOAT  # BN's weight, running mean and variance
    # The linear weight is not saved: its input needs no gradient.
    assert bytes_of(step, None if count else model) == saved + (persistent if count else 0)


def test_peak_is_that_of_the_largest_part_when_parts_end_early():
    sizes = (10, 30, 20)
    xs = [torch.randn(n, requires_grad=True) for n in sizes]

    def step(at_once: bool) -> None:
        losses = []
        for x in xs:
            loss = (x ** 2).sum()
            if at_once:
                loss.backward()
            else:
                losses.append(loss)
        for loss in losses:
            loss.backward()

    assert bytes_of(lambda: step(True)) == 30 * FLOAT
    assert bytes_of(lambda: step(False)) == 60 * FLOAT


def test_releases_outputs_that_autograd_saved():
    # exp saves its own output: holding it with its graph would never end.
    x = torch.randn(8, requires_grad=True)
    with SavedActivations() as counter:
        y = x.exp()
        assert counter.live_bytes == 8 * FLOAT
        del y
        assert counter.live_bytes == 0


def test_gradients_do_not_change():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True),
                          nn.Flatten(), nn.Linear(144, 5), nn.LogSoftmax(1))
    x = torch.randn(2, 3, 8, 8)

    def gradients() -> list[Tensor]:
        model.zero_grad()
        model(x)[:, 0].sum().backward()
        return [parameter.grad.clone() for parameter in model.parameters()]

    expected = gradients()
    measured: list[Tensor] = []
    saved_activations_mb(lambda: measured.extend(gradients()), exclude=model)
    assert all(torch.equal(a, b) for a, b in zip(expected, measured, strict=True))


def test_refuses_a_step_that_keeps_its_graph():
    x = torch.randn(3, requires_grad=True)
    kept = []
    with pytest.raises(RuntimeError, match='got 12: the step keeps a graph'):
        saved_activations_mb(lambda: kept.append((x ** 2).sum()))


def test_counts_what_checkpointing_recomputes():
    x = torch.randn(10, requires_grad=True)
    # The checkpoint keeps x; its backward pass keeps the recomputed exp(x), too, which
    # both functions save.
    assert bytes_of(lambda: checkpoint(lambda x: x.exp().sin(), x, use_reentrant=True)
                    .sum().backward()) == 2 * 10 * FLOAT
