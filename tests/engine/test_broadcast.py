"""Tensors that travel together arrive as if each came by itself."""
import torch
from ranks import run_ranks

from auglocal_mm.engine import together
from auglocal_mm.engine.together import broadcast


def tensors(seed):
    """Tensors of several types and orders of memory, empty ones and views with gaps."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape):
        return torch.randn(shape, generator=generator)

    return [drawn(3, 4), drawn(2, 3, 4, 5).to(memory_format=torch.channels_last), drawn(),
            drawn(0, 3), drawn(6, 8)[:, ::2], drawn(5, 4).t(), drawn(4).double(),
            torch.tensor(seed), drawn(300), drawn(7).bfloat16(), drawn(2, 1, 3, 3), drawn(2) > 0]


def job(rank):
    found = tensors(seed=rank)
    sizes = []
    for owner, group in together.together((each, index % 2) for index, each in enumerate(found)):
        broadcast(group, src=owner)
        sizes.append(len(group))
    return found, sizes


def test_every_tensor_has_its_owners_values(monkeypatch):
    monkeypatch.setattr(together, 'MOST_BYTES', 1000)
    for found, sizes in run_ranks(job):
        for index, tensor in enumerate(found):
            wanted = tensors(seed=index % 2)[index]
            assert torch.equal(tensor, wanted)
            assert tensor.stride() == wanted.stride()
        assert len(sizes) < len(found), 'some of them travel together'


def test_large_ones_travel_by_themselves(monkeypatch):
    monkeypatch.setattr(together, 'MOST_BYTES', 100)
    small, large = torch.zeros(10), torch.zeros(50)
    groups = list(together.together([(small, 0), (large, 0), (small, 0), (small, 0), (small, 1)]))
    assert [(owner, len(group)) for owner, group in groups] == [(0, 1), (0, 3), (1, 1)]
    assert groups[0][1][0] is large
