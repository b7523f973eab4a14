"""The command ``auglocal-mm``: the tools under short names, in any folder."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from auglocal_mm.config.shipped import config_path, shipped
from auglocal_mm.console import command
from auglocal_mm.version import __version__


@pytest.fixture
def process(monkeypatch, tmp_path):
    """Lend the command this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, '__main__', sys.modules['__main__'])
    monkeypatch.setattr(sys, 'argv', [])
    monkeypatch.setattr(sys, 'path', list(sys.path))


def test_the_list_names_each_command_with_a_line(capsys):
    assert command.main(['--help']) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert set(command.TOOLS) <= set(lines)
    for name in command.TOOLS:
        assert lines[name].endswith('.')
        assert len(lines[name].split()) > 3
        assert len(lines[name]) <= 100


@pytest.mark.parametrize('arguments', [[], ['-h'], ['help']])
def test_help_is_asked_for_in_several_ways(capsys, arguments):
    assert command.main(arguments) == 0
    assert capsys.readouterr().out == command.overview() + '\n'


def test_version(capsys):
    assert command.main(['--version']) == 0
    assert capsys.readouterr().out == f'auglocal-mm {__version__}\n'


def test_an_unknown_command_prints_the_list(capsys):
    assert command.main(['trian']) == 2
    told = capsys.readouterr()
    assert not told.out
    assert "no command 'trian'" in told.err
    assert command.overview() in told.err


def test_every_tool_for_users_has_a_command(root):
    """Those that draw pictures, survey detectors or time a machine are for studies: scripts."""
    tools = {str(path.relative_to(root / 'tools')) for path in (root / 'tools').rglob('*.py')
             if path.parent.name != '_install'}
    studies = {f'analysis_tools/{name}.py' for name in (
        'accuracy_by_depth', 'benchmark_loading', 'benchmark_parallel', 'detector_families',
        'plot_curves', 'representation_similarity')}
    assert set(command.TOOLS.values()) == tools - studies - {'install.py'}


@pytest.mark.parametrize('name', command.TOOLS)
@pytest.mark.usefixtures('process')
def test_a_tool_shows_its_own_help_under_the_commands_name(capsys, name):
    with pytest.raises(SystemExit) as end:
        command.main([name, '--help'])
    assert not end.value.code
    assert f'usage: auglocal-mm {name} ' in capsys.readouterr().out


@pytest.mark.usefixtures('process')
def test_a_fault_ends_with_the_tools_status(capsys):
    with pytest.raises(SystemExit) as end:
        command.main(['export', 'absent.pth', 'out.pth'])
    assert end.value.code == 2
    assert 'error: no checkpoint at absent.pth' in capsys.readouterr().err


@pytest.mark.usefixtures('process')
def test_a_shipped_config_is_named_from_any_folder(capsys, tmp_path):
    command.main(['plan', 'auglocal_mm::auglocal/resnet32_cifar10.py', '--json'])
    assert json.loads(capsys.readouterr().out)['units'] == 16
    assert not list(tmp_path.iterdir())


def test_the_package_runs_as_a_module(tmp_path):
    told = subprocess.run([sys.executable, '-m', 'auglocal_mm', 'trian'], cwd=tmp_path,
                          capture_output=True, text=True)
    assert told.returncode == 2
    assert "no command 'trian'" in told.stderr


def test_config_path(root, tmp_path, monkeypatch):
    ours = config_path('auglocal_mm::auglocal/resnet32_cifar10.py')
    assert ours.read_text() == (root / 'configs/auglocal/resnet32_cifar10.py').read_text()
    hosts = config_path('mmpretrain::resnet/resnet18_8xb32_in1k.py')
    assert hosts.is_file()
    assert 'mmpretrain' in hosts.parts
    (tmp_path / 'mine.py').touch()
    monkeypatch.chdir(tmp_path)
    assert config_path('mine.py') == Path('mine.py')


@pytest.mark.parametrize(('path', 'told'), [
    ('absent.py', 'no config at absent.py'),
    ('auglocal_mm::absent.py', 'configs/absent.py'),
    ('mmpretrain::absent.py', 'no config at .*mmpretrain/.mim/configs/absent.py'),
    ('mine::a.py', 'mine in mine::… must be an installed package'),
])
def test_a_config_that_is_not_there(path, told):
    with pytest.raises(FileNotFoundError, match=told):
        config_path(path)


def test_a_shipped_tool_is_the_clones(root):
    assert os.path.samefile(shipped('tools/train.py'), root / 'tools/train.py')
