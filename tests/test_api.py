"""The public names: found by people, by completion and by type checkers alike."""
import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import auglocal_mm
from auglocal_mm import registry

SOURCE = Path(auglocal_mm.__file__)
REGISTRIES = [each for each in vars(registry).values() if isinstance(each, registry.Registry)
              and each.scope == registry.SCOPE
              and each not in (registry.LOCAL_LOSSES, registry.DETECTION_LOSSES)]

SCRIPT = '''
from torch import nn
import auglocal_mm
from auglocal_mm.partition import partition

backbone = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3))
rule = auglocal_mm.AugLocal(depth=2)
plan = rule.plan([unit.spec(backbone) for unit in partition(backbone)])
reveal_type(rule)
reveal_type(partition(backbone))
reveal_type(plan)
reveal_type(plan.modules)
auglocal_mm.AugLocl
auglocal_mm.AugLocal(dept=2)
'''
#: Other packages' code is not read: it would take mypy 20 s instead of 2.
FAST = '''
[mypy-mmengine.*,mmcv.*,mmpretrain.*,mmdet.*,torch.*,torchvision.*,numpy.*,cv2.*,PIL.*,scipy.*,sklearn.*,matplotlib.*]
follow_imports = skip
follow_imports_for_stubs = True
'''


def seen_by_tools():
    """Each name of the ``TYPE_CHECKING`` block, with the module that it is imported from."""
    block = next(node for node in ast.parse(SOURCE.read_text()).body
                 if isinstance(node, ast.If) and ast.unparse(node.test) == 'TYPE_CHECKING')
    return {(name.asname or name.name): f'.{node.module or name.name}'
            for node in block.body for name in node.names}


def test_tools_that_read_code_see_what_python_finds():
    assert seen_by_tools() == auglocal_mm._HOME
    assert auglocal_mm.__all__ == sorted(['__version__', *auglocal_mm._HOME])
    assert dir(auglocal_mm) == auglocal_mm.__all__


@pytest.mark.parametrize('name', auglocal_mm.__all__)
def test_every_name_is_what_its_module_calls_so(name):
    found = getattr(auglocal_mm, name)
    home = auglocal_mm._HOME.get(name, '.version')
    assert found is (sys.modules[f'auglocal_mm{home}'] if home == f'.{name}' else
                     getattr(sys.modules[f'auglocal_mm{home}'], name))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'auglocal_mm' has no attribute 'AugLocl'"):
        _ = auglocal_mm.AugLocl


@pytest.mark.parametrize('found', REGISTRIES, ids=lambda each: each.name)
def test_what_a_config_may_name_can_be_imported(found):
    found.import_from_location()
    ours = {name: each for name, each in found.module_dict.items()
            if each.__module__.startswith('auglocal_mm.')}
    assert ours
    assert all(getattr(auglocal_mm, name) is each for name, each in ours.items())


def test_documents_and_configs_name_only_what_is_public(root):
    files = [root / 'README.md', *(root / 'docs').glob('*.md'), *(root / 'configs').rglob('*.*')]
    named = {name for path in files if path.suffix in ('.md', '.py')
             for name in re.findall(r'\bauglocal_mm\.([A-Z]\w+)', path.read_text())}
    assert {'AugLocal', 'DigitScenes', 'SVHN'} <= named <= set(auglocal_mm.__all__)


def check_types(folder, script, settings):
    """Return what mypy says of a user's `script`, line by line."""
    (folder / 'script.py').write_text(script)
    (folder / 'mypy.ini').write_text('[mypy]\nstrict = True\nfollow_imports = silent\n'
                                     f'ignore_missing_imports = True\n{settings}')
    done = subprocess.run(
        [sys.executable, '-m', 'mypy', '--cache-dir', os.devnull, '--no-error-summary',
         'script.py'],
        cwd=folder, capture_output=True, text=True,
        env={**os.environ, 'MYPYPATH': str(SOURCE.parent.parent)})
    assert not done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize('settings', [
    pytest.param(FAST, id='our code'),
    pytest.param('', id="torch's, too", marks=pytest.mark.slow)])
def test_a_users_script_has_types(tmp_path, settings):
    pytest.importorskip('mypy', reason='`make setup` installs it')
    names = [name for name in auglocal_mm.__all__ if name not in ('partition', 'plan')]
    told = check_types(tmp_path, SCRIPT + '\n'.join(
        f'reveal_type(auglocal_mm.{name})' for name in names), settings)
    errors = [line.partition(' error: ')[2] for line in told if ' error: ' in line]
    assert errors == [
        'Module has no attribute "AugLocl"; maybe "AugLocal"?  [attr-defined]',
        'Unexpected keyword argument "dept" for "AugLocal"; did you mean "depth"?  [call-arg]']
    rule, units, plan, modules, *public = [
        line.partition('Revealed type is ')[2].strip('"') for line in told if 'Revealed' in line]
    assert rule.endswith('.AugLocal')
    assert units.startswith('tuple[auglocal_mm.partition.')
    assert plan.endswith('.LocalPlan')
    assert modules == 'int'
    assert len(public) == len(names)
    for name, told in zip(names, public):
        assert told == 'str' or told.startswith('def '), name
