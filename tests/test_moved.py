"""Former names of modules still import the same modules."""
import subprocess
import sys
import warnings
from importlib import import_module

import pytest

from auglocal_mm._moved import MOVED, new_name


@pytest.mark.parametrize('old', sorted(MOVED))
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
    code = ('import warnings; warnings.simplefilter("ignore"); import importlib, sys\n'
            'from auglocal_mm._moved import MOVED\n'
            'for new in MOVED.values(): importlib.import_module(f"auglocal_mm.{new}")\n'
            'def rooms(): return {name: id(value) for owner in list(sys.modules)\n'
            '    if owner.startswith("auglocal_mm.lab") for name, value in\n'
            '    vars(sys.modules[owner]).items() if type(value).__name__ == "module"}\n'
            'before = rooms()\n'
            'for old in MOVED: importlib.import_module(f"auglocal_mm.{old}")\n'
            'assert rooms() == before\n'
            'import auglocal_mm.analysis.curves as old, auglocal_mm.lab.curves.curves as new\n'
            'assert old is new\n'
            'import auglocal_mm.lab.curves.learning_curves as curves; from auglocal_mm.lab import '
            'curves as package\n'
            'assert package.__path__ and curves is package.learning_curves')
    subprocess.run([sys.executable, '-c', code], check=True)


@pytest.mark.parametrize('name', ['ranks', 'demo.measure'])
def test_a_former_name_runs_as_a_script(name):
    """Launchers that somebody copied end in ``python -m auglocal_mm.ranks``."""
    done = subprocess.run([sys.executable, '-m', f'auglocal_mm.{name}', '--help'],
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


def test_the_documented_import_of_checkpoints_still_works():
    code = ('from auglocal_mm.checkpoint import export_backbone, read_checkpoint; '
            'from auglocal_mm.checkpoints import export_backbone as now; '
            'assert export_backbone is now')
    subprocess.run([sys.executable, '-c', code], check=True)
