"""What reads the memory of a tensor without one of torch's operations."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

#: Pickling, and so saving, asks for the storage.
READERS = (Tensor.numpy, Tensor.tolist, Tensor.__array__, Tensor.__dlpack__, Tensor.new_tensor,
            Tensor.storage, Tensor.untyped_storage, torch.tensor, torch.as_tensor)


class Readers(TorchFunctionMode):
    """A mode that stops what reads the memory of tensors which are not there.

    Args:
        is_there: Tells whether a tensor is.
        refuse: Called with the name of what would read it.
    """

    def __init__(self, is_there: Callable[[Tensor], bool], refuse: Callable[[str], None]) -> None:
        super().__init__()
        self._is_there = is_there
        self._refuse = refuse

    def __torch_function__(self, func: Any, types: Any, args: Any = (),
                           kwargs: Any = None) -> Any:
        """Look at a call before it is made."""
        if func in READERS and not all(
                self._is_there(each) for each in tree_leaves((args, kwargs))
                if isinstance(each, Tensor)):
            self._refuse(func.__name__)
        return func(*args, **(kwargs or {}))
