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


def test_names_that_never_existed_stay_unknown():
    assert new_name('auglocal_mm.nothing') is None
    assert new_name('auglocal_mm.lab.jobs') is None
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'auglocal_mm\.nothing'"):
        import_module('auglocal_mm.nothing')


def test_the_documented_import_of_checkpoints_still_works():
    code = ('from auglocal_mm.checkpoint import export_backbone, read_checkpoint; '
            'from auglocal_mm.checkpoints import export_backbone as now; '
            'assert export_backbone is now')
    subprocess.run([sys.executable, '-c', code], check=True)
