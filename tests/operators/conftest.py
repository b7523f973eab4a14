"""Where the operators of these tests come from."""
import pytest
from operator_extensions import STAND_INS, compiled, mmcv_calls


@pytest.fixture
def stand_ins():
    """Let ``mmcv.ops`` call our stand-ins, whatever is installed."""
    with mmcv_calls(STAND_INS):
        yield


@pytest.fixture(scope='session')
def compiled_operators(root, tmp_path_factory):
    """Return mmcv's compiled operators, installed or in a wheel beside the clone."""
    found = compiled(tmp_path_factory.mktemp('compiled'), root.parent / 'shared' / 'wheels')
    if found is None:
        pytest.skip('no compiled operators are available to compare with')
    return found


@pytest.fixture
def by_both(compiled_operators):
    """Return a function that calls another one with stand-ins, then with compiled operators."""
    def call(function):
        results = []
        for extension in (STAND_INS, compiled_operators):
            with mmcv_calls(extension):
                results.append(function())
        return results
    return call
