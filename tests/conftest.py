"""What all tests share: where the repository lies, and how properties are tried."""
from pathlib import Path

import pytest
import torch
from hypothesis import settings

# Small tensors gain nothing from more, and forked ranks must not inherit a pool.
torch.set_num_threads(1)

# The same examples in every run, and no verdict by the clock.
settings.register_profile('steady', derandomize=True, deadline=None)
settings.load_profile('steady')


@pytest.fixture(autouse=True)
def _no_default_scope():
    """A runner in one test leaves its scope behind; no other test may depend on it."""
    from mmengine.registry import DefaultScope
    DefaultScope._instance_dict.clear()


@pytest.fixture(scope='session')
def root() -> Path:
    """Return the root of the repository."""
    return Path(__file__).resolve().parent.parent
