"""Where the elements of a tensor lie, whatever mode of torch is on."""
from __future__ import annotations

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter


def has_memory(tensor: Tensor) -> bool:
    """Tell whether a tensor is one of those with elements on a device."""
    return (not isinstance(tensor, (FakeTensor, UninitializedParameter, UninitializedBuffer))
            and tensor.layout is torch.strided and tensor.device.type != 'meta')


def address_of(tensor: Tensor) -> int:
    """Return the address of a tensor's memory, views included; 0 for a tensor without any."""
    return storage_of(tensor)._cdata if has_memory(tensor) else 0


def storage_of(tensor: Tensor) -> torch.UntypedStorage:
    """Return a tensor's memory, also where asking for it counts as reading."""
    with torch._C.DisableTorchFunction():
        return tensor.untyped_storage()


def number_of(tensor: Tensor) -> Tensor:
    """Return the one number that all elements of a hollow tensor are."""
    return tensor.as_strided((), ())
