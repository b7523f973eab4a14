"""What an installation brings: the package, and the configs as ``.mim``."""
import json
import sysconfig
import zipfile
from email.parser import Parser

import pytest
from packages import PIP, copy_source, run
from packaging.requirements import Requirement

from auglocal_mm.console.command import TOOLS

pytest.importorskip('wheel', reason='building needs it; `make setup` installs it')

FIRST = 'configs/_base_/trial.py'


@pytest.fixture
def source(root, tmp_path):
    """Return a copy of what packaging reads, with one config that is sure to be there."""
    target = copy_source(root, tmp_path / 'source')
    (target / FIRST).parent.mkdir(parents=True, exist_ok=True)
    (target / FIRST).write_text('kept = 1\n')
    return target


def expected_names(source):
    """Return what a wheel must hold: every module, template, config and tool."""
    modules = {str(path.relative_to(source)) for path in (source / 'auglocal_mm').rglob('*.*')
               if path.suffix in ('.py', '.html', '.css')}
    shipped = {f'auglocal_mm/.mim/{path.relative_to(source)}'
               for folder in ('configs', 'tools') for path in (source / folder).rglob('*')
               if path.is_file()}
    return modules | shipped | {'auglocal_mm/.mim/model-index.yml', 'auglocal_mm/py.typed'}


def test_the_wheel_holds_everything_and_leaves_torch_alone(root, wheel, tmp_path):
    expected = expected_names(copy_source(root, tmp_path / 'source'))
    assert {'auglocal_mm/.mim/configs/_base_/default_runtime_cls.py',
            'auglocal_mm/lab/pages/templates/style.css',
            'auglocal_mm/lab/demo/templates/report.html',
            'auglocal_mm/lab/reproduction/templates/table.html',
            'auglocal_mm/lab/transfer/templates/comparison.html'} <= expected
    wheel = zipfile.ZipFile(wheel)
    names = set(wheel.namelist())
    assert not expected - names
    assert not [name for name in names if name.startswith(('tests/', 'tools/', 'configs/'))]
    metadata = next(name for name in names if name.endswith('.dist-info/METADATA'))
    headers = Parser().parsestr(wheel.read(metadata).decode())
    base = [Requirement(line) for line in headers.get_all('Requires-Dist')]
    bounds = {each.name: str(each.specifier) for each in base if each.marker is None}
    assert bounds == {'fvcore': '', 'numpy': '', 'rich': '', 'torch': '>=2.6',
                      'torchvision': '>=0.21'}


def test_the_wheel_brings_the_command(wheel_site, tmp_path):
    """The tools that it lists are read from the wheel's own copies."""
    scripts = next(wheel_site.glob('auglocal_mm-*.dist-info/entry_points.txt')).read_text()
    assert scripts.split() == ['[console_scripts]', 'auglocal-mm', '=',
                               'auglocal_mm.console.command:main']
    code = ('import sys; sys.path.insert(0, sys.argv[1]); '
            'from auglocal_mm.console.command import TOOLS, overview, shipped; '
            'print(overview(), *(shipped(f"tools/{tool}") for tool in TOOLS.values()), sep="\\n")')
    told = run('-E', '-S', '-c', code, str(wheel_site), cwd=tmp_path)
    assert 'train       Train a classifier or a detector' in told
    assert told.count(f'{wheel_site.resolve()}/auglocal_mm/.mim/tools/') == len(TOOLS)


def brought_by(extra, wheel_site):
    """Names of the packages that an extra adds to the base."""
    metadata = next(wheel_site.glob('auglocal_mm-*.dist-info/METADATA')).read_text()
    requirements = [Requirement(line) for line in
                    Parser().parsestr(metadata).get_all('Requires-Dist')]
    return {each.name for each in requirements
            if each.marker is not None and each.marker.evaluate({'extra': extra})}


@pytest.mark.parametrize(('extra', 'brought', 'not_brought'), [
    ('onedl', 'onedl-mmcv', 'mmcv-lite'), ('openmmlab', 'mmcv-lite', 'mmcv')])
def test_an_extra_brings_an_mmcv_that_needs_no_compiler(wheel_site, extra, brought, not_brought):
    names = brought_by(extra, wheel_site)
    assert brought in names
    assert not_brought not in names


def test_the_extra_of_the_lab_has_a_former_name_and_is_part_of_the_tests(wheel_site):
    lab = brought_by('lab', wheel_site)
    assert lab == {'jinja2', 'matplotlib', 'scikit-learn', 'tabulate'}
    assert brought_by('demo', wheel_site) == lab
    assert lab < brought_by('tests', wheel_site) < brought_by('dev', wheel_site)


ASK = '''
import json, site, sys
site.addsitedir(sys.argv[1])
sys.path.append(sys.argv[2])
import auglocal_mm
from mmengine.config import Config
from mmengine.utils import get_installed_path
print(json.dumps([get_installed_path('auglocal_mm'), Config.fromfile(sys.argv[3]).kept]))
'''


def test_an_editable_install_serves_the_clones_configs(source, tmp_path):
    """The config inherits ours by name, and an edit takes effect at once."""
    run('-m', 'pip', 'install', *PIP, '--ignore-installed', '--prefix', str(tmp_path / 'prefix'),
        '--editable', str(source), cwd=tmp_path)
    config = tmp_path / 'mine.py'
    config.write_text("_base_ = 'auglocal_mm::_base_/trial.py'\n")
    (source / FIRST).write_text('kept = 2\n')
    site = next((tmp_path / 'prefix').rglob('site-packages'))
    # -E, -S: no PYTHONPATH and no installation of this package in the environment may answer.
    told = run('-E', '-S', '-c', ASK, str(site), sysconfig.get_paths()['purelib'], str(config),
               cwd=tmp_path)
    assert json.loads(told) == [str(source / 'auglocal_mm'), 2]
    link = source / 'auglocal_mm' / '.mim' / 'configs'
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
