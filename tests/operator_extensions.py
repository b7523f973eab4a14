"""The operators to compare: our stand-ins, and mmcv's compiled ones where some are available."""
import importlib.util
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import torch  # noqa: F401 - compiled operators link to its libraries

from auglocal_mm.operators.table import OPERATORS

STAND_INS = SimpleNamespace(**OPERATORS)


@contextmanager
def mmcv_calls(extension):
    """Let the functions of ``mmcv.ops`` call the operators of `extension`."""
    import mmcv.ops  # noqa: F401
    rooms = [module for name, module in sys.modules.items()
             if name.startswith('mmcv.ops.') and hasattr(module, 'ext_module')]
    before = [room.ext_module for room in rooms]
    for room in rooms:
        room.ext_module = extension
    try:
        yield
    finally:
        for room, kept in zip(rooms, before):
            room.ext_module = kept


def compiled(folder, wheels):
    """Return mmcv's compiled operators: those installed, else a fitting wheel's, else None."""
    import mmcv
    found = next(iter(Path(mmcv.__file__).parent.glob('_ext*.so')), None)
    for wheel in sorted(wheels.glob('*mmcv*.whl')) if found is None else ():
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist()
                     if name.startswith('mmcv/_ext') and name.endswith('.so')]
            if names:
                found = Path(archive.extract(names[0], folder))
                break
    if found is None:
        return None
    # A name of its own: mmcv's stays with whatever this environment uses.
    spec = importlib.util.spec_from_file_location('compiled_operators._ext', found)
    try:
        extension = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(extension)
    except ImportError:  # built for another Python or torch
        return None
    return extension


def value_and_gradients(function, inputs, *, dtype=torch.float64):
    """Return what a function gives and the gradients of its inputs, for a fixed direction.

    Args:
        function: Called with the inputs, cast to `dtype`.
        inputs: Tensors to differentiate by.
        dtype: Their type.
    """
    leaves = [each.to(dtype, copy=True).requires_grad_() for each in inputs]
    output = function(*leaves)
    direction = torch.randn(output.shape, generator=torch.Generator().manual_seed(7),
                            dtype=torch.float64).to(output.dtype)
    output.backward(direction)
    return [output.detach(), *(leaf.grad for leaf in leaves)]


def assert_all_close(found, expected, *, relative):
    """Compare tensor by tensor; the error may be a share of the largest value expected."""
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected):
        assert ours.shape == theirs.shape
        scale = theirs.abs().max().item() if theirs.numel() else 0.0
        torch.testing.assert_close(ours.double(), theirs.double(), rtol=0,
                                   atol=relative * max(scale, 1e-6))
