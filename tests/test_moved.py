"""Former names of modules still import the same modules."""
import subprocess
import sys
import warnings
from importlib import import_module
from importlib.util import find_spec

import pytest

from auglocal_mm._moved import MOVED, new_name


@pytest.mark.parametrize('old', sorted(MOVED))
def test_every_former_name_leads_to_a_module(old):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        spec = find_spec(new_name(f'auglocal_mm.{old}'))
    assert spec is not None and spec.name == f'auglocal_mm.{MOVED[old]}'
    assert find_spec(f'auglocal_mm.{MOVED[old]}').origin == spec.origin


@pytest.mark.parametrize('old', ['checkpoint', 'engine.config_shape', 'errors', 'jobs'])
def test_a_former_name_is_the_same_module(old):
    with pytest.warns(DeprecationWarning, match=f'auglocal_mm.{old} is now'):
        sys.modules.pop(f'auglocal_mm.{old}', None)
        module = import_module(f'auglocal_mm.{old}')
    assert module is import_module(f'auglocal_mm.{MOVED[old]}')
    assert module.__name__ == f'auglocal_mm.{MOVED[old]}'


def test_what_is_in_a_moved_package_is_not_loaded_twice():
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        old = import_module('auglocal_mm.jobs.forecast')
    assert old is import_module('auglocal_mm.lab.jobs.forecast')


def test_a_former_name_changes_no_package_of_today():
    """Importing ``analysis.curves`` must not put a module in the place of ``lab.curves``."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        import auglocal_mm.analysis.curves as old
    import auglocal_mm.lab.curves.curves as new
    from auglocal_mm.lab import curves
    assert old is new and curves.__path__ and curves.curves is new


def test_a_former_name_runs_as_a_script():
    """Launchers that somebody copied end in ``python -m auglocal_mm.ranks``."""
    done = subprocess.run([sys.executable, '-m', 'auglocal_mm.ranks', '--help'],
                          capture_output=True, text=True)
    assert done.returncode == 0 and 'usage' in done.stdout, done.stderr


@pytest.mark.parametrize(('room', 'old', 'new'), [
    ('plan', 'LayerSpec', 'UnitSpec'), ('partition', 'LocalLayer', 'Unit'),
    ('partition', 'Chain', 'InOrder'), ('partition', 'forward_layers', 'forward_units')])
def test_a_former_name_of_a_class_is_the_same_class(room, old, new):
    module = import_module(f'auglocal_mm.{room}')
    with pytest.warns(DeprecationWarning, match=f'auglocal_mm.{room}.{old} is now {new}'):
        found = getattr(module, old)
    assert found is getattr(module, new)
    with pytest.raises(AttributeError, match='Absent'):
        getattr(module, 'Absent')  # noqa: B009


def test_names_that_never_existed_stay_unknown():
    assert new_name('auglocal_mm.nothing') is None
    assert new_name('auglocal_mm.lab.jobs') is None and new_name('auglocal_mm.analysis') is None
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'auglocal_mm\.nothing'"):
        import_module('auglocal_mm.nothing')
