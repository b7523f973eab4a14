"""What all tests share: how properties are tried, what is built once, and what runs first."""
import gc
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import settings
from packages import PIP, build_wheel, copy_source, run
from sharing import build_once, spread

# The same examples in every run, and no verdict by the clock.
settings.register_profile('steady', derandomize=True, deadline=None)
settings.load_profile('steady')


def pytest_configure(config):
    # Threads that wait give up their core: other workers and their children need it.
    os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
    if hasattr(config, 'workerinput'):
        # What stops a worker. A shell has its background jobs ignore it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    elif config.getoption('numprocesses', None):
        return  # This process runs no test: its workers do.
    import torch
    # Small tensors gain nothing from more, and forked ranks must not inherit a pool.
    torch.set_num_threads(1)
    # With the first backward pass, autograd starts a thread for each kind of device that is known.
    # Fake tensors make CUDA known, even where there is none, and ranks could no longer be forked.
    torch.zeros(1, requires_grad=True).sum().backward()


def pytest_collection_modifyitems(config, items):
    if hasattr(config, 'workerinput'):
        items[:] = spread(items, config.workerinput['workercount'])


def pytest_collection_finish():
    # What has been imported is no garbage: no collection need look through it.
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_default_scope():
    """A runner leaves its scope set; no other test may depend on it."""
    from mmengine.registry import DefaultScope
    DefaultScope._instance_dict.clear()


@pytest.fixture(autouse=True, scope='session')
def _no_more_than_is_needed():
    """mmengine formats the whole config for every checkpoint; a text has one formatted form.

    It also collects garbage for each data set, which takes longer than making a small one.
    """
    from yapf.yapflib import yapf_api
    known, original = {}, yapf_api.FormatCode

    def remember(text, **options):
        key = text, repr(sorted(options.items()))
        if key not in known:
            known[key] = original(text, **options)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yapf_api, 'FormatCode', remember)
        patch.setattr('mmengine.dataset.base_dataset.gc', SimpleNamespace(collect=lambda: None))
        yield


@pytest.fixture(scope='session')
def root() -> Path:
    """Return the root of the repository."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope='session')
def shared_folder(request, tmp_path_factory) -> Path:
    """Return a folder that all workers of this run share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if hasattr(request.config, 'workerinput') else folder


@pytest.fixture(scope='session')
def wheel(root, shared_folder) -> Path:
    """Return the wheel of this repository."""
    pytest.importorskip('wheel', reason='building needs it; `make setup` installs it')
    folder = build_once(shared_folder / 'wheel', lambda path: build_wheel(
        copy_source(root, path / 'source'), path))
    return next(folder.glob('*.whl'))


@pytest.fixture(scope='session')
def wheel_site(wheel, shared_folder) -> Path:
    """Return a folder into which the wheel is installed, and nothing else."""
    return build_once(shared_folder / 'site', lambda path: run(
        '-m', 'pip', 'install', *PIP, '--target', str(path), str(wheel), cwd=path.parent))


@pytest.fixture(scope='session')
def figures():
    """Return the counts of ResNet-110 under any rule."""
    from flops import Figures
    return Figures()
