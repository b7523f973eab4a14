"""What all tests share: how properties are tried, what is built once, and what runs first."""
import fcntl
import gc
import signal
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import settings
from packages import PIP, build_wheel, copy_source, run

TESTS = Path(__file__).resolve().parent
#: Files whose tests start processes and take up to a minute each, the longest first. Workers
#: begin with them, so that only short tests are left to share out at the end.
LONGEST = [TESTS / name for name in (
    'tools/test_main_job.py', 'tools/test_reproduce.py', 'test_existing_project.py',
    'test_doctor.py', 'analysis/benchmark/test_tool.py')]

# The same examples in every run, and no verdict by the clock.
settings.register_profile('steady', derandomize=True, deadline=None)
settings.load_profile('steady')


def pytest_configure(config):
    if hasattr(config, 'workerinput'):
        # What stops a worker. A shell has its background jobs ignore it.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    elif config.getoption('numprocesses', None):
        return  # This process runs no test: its workers do.
    import torch
    # Small tensors gain nothing from more, and forked ranks must not inherit a pool.
    torch.set_num_threads(1)


def pytest_collection_modifyitems(config, items):
    workers = getattr(config, 'workerinput', {}).get('workercount', 1)
    if workers == 1:
        return
    short = [item for item in items if item.path not in LONGEST]
    ordered = []
    for worker in range(workers):
        long = [item for path in LONGEST[worker::workers] for item in items if item.path == path]
        # Each worker starts at an equal part of the list (pytest-xdist's `worksteal`).
        count = max(0, (len(items) - len(ordered)) // (workers - worker) - len(long))
        ordered += [*long, *short[:count]]
        del short[:count]
    items[:] = [*ordered, *short]


def pytest_collection_finish():
    # mmengine's data sets collect garbage each time one is made. What has been imported is none.
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_default_scope():
    """A runner leaves its scope set; no other test may depend on it."""
    from mmengine.registry import DefaultScope
    DefaultScope._instance_dict.clear()


@pytest.fixture(autouse=True, scope='session')
def _each_config_is_formatted_once():
    """mmengine formats the whole config for every checkpoint; a text has one formatted form."""
    from yapf.yapflib import yapf_api
    known, original = {}, yapf_api.FormatCode

    def remember(text, **options):
        key = text, repr(sorted(options.items()))
        if key not in known:
            known[key] = original(text, **options)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yapf_api, 'FormatCode', remember)
        yield


@pytest.fixture(scope='session')
def root() -> Path:
    """Return the root of the repository."""
    return TESTS.parent


@pytest.fixture(scope='session')
def build_once(request, tmp_path_factory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Return ``build_once(name, build)``: the folder that `build` filled, once for all workers."""
    shared = tmp_path_factory.getbasetemp()
    if hasattr(request.config, 'workerinput'):
        shared = shared.parent

    def folder(name: str, build: Callable[[Path], None]) -> Path:
        path, done = shared / name, shared / f'{name}.done'
        with _locked(shared / f'{name}.lock'):
            if not done.exists():
                path.mkdir()  # Left there by a worker whose build failed: an error here as well.
                build(path)
                done.touch()
        return path
    return folder


@contextmanager
def _locked(path: Path):
    with path.open('w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope='session')
def wheel(root, build_once) -> Path:
    """Return the wheel of this repository."""
    pytest.importorskip('wheel', reason='building needs it; `make setup` installs it')
    folder = build_once('wheel', lambda path: build_wheel(
        copy_source(root, path / 'source'), path))
    return next(folder.glob('*.whl'))


@pytest.fixture(scope='session')
def wheel_site(wheel, build_once) -> Path:
    """Return a folder into which the wheel is installed, and nothing else."""
    return build_once('site', lambda path: run(
        '-m', 'pip', 'install', *PIP, '--target', str(path), str(wheel), cwd=path.parent))


@pytest.fixture(scope='session')
def figures():
    """Return the counts of ResNet-110 under any rule."""
    from flops import Figures
    return Figures()
