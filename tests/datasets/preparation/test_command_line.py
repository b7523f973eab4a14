"""prepare.py: what it prints, what it returns, what it leaves alone."""
import subprocess
import sys

import pytest
from file_server import archive_source, plain_source, serving

from auglocal_mm.datasets.preparation import command_line

FILES = {'made/one': b'1' * 1000, 'made/two': b'2'}


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with serving() as server:
        monkeypatch.setattr(command_line, 'SOURCES', {
            'cifar10': archive_source(server, FILES, FILES),
            'svhn': plain_source(server, {'a.mat': b'a'})})
        yield server


def test_check_changes_nothing_and_says_what_is_missing(server, tmp_path, capsys):
    assert command_line.main(['cifar10', '--check']) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f'Made data in {tmp_path}/data/cifar10: incomplete'
    assert said[1:3] == ['  missing  made/one', '  missing  made/two']
    assert said[3].startswith('how to get it: tools/dataset_converters/prepare.py made --root ')
    assert not list(tmp_path.iterdir())
    assert server.ranges == []


def test_prepare_then_check_then_damage(server, tmp_path, capsys):
    assert command_line.main(['cifar10', '--root', 'here']) == 0
    assert command_line.main(['cifar10', '--root', 'here', '--check']) == 0
    assert 'present  made/one  1,000 bytes, md5 correct' in capsys.readouterr().out
    (tmp_path / 'here/made/two').write_bytes(b'3')
    assert command_line.main(['cifar10', '--root', 'here', '--check']) == 1
    assert 'damaged  made/two  has md5' in capsys.readouterr().out
    assert command_line.main(['cifar10', '--root', 'here']) == 0


def test_plain_files_lie_where_the_configs_look(server, tmp_path):
    assert command_line.main(['svhn']) == 0
    assert (tmp_path / 'data/svhn/a.mat').read_bytes() == b'a'


def test_ctrl_c_is_no_traceback(server, monkeypatch, capsys):
    def stop(*_):
        raise KeyboardInterrupt
    monkeypatch.setattr(command_line, 'prepare', stop)
    assert command_line.main(['svhn']) == 130
    assert 'run this again to continue' in capsys.readouterr().err


@pytest.mark.parametrize('name', ['imagenet', 'coco'])
def test_own_copies_are_looked_at_only(server, tmp_path, name, capsys):
    assert command_line.main([name]) == 1
    assert 'how to get it: ' in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_every_data_set_of_the_configs_is_a_choice():
    assert {'cifar10', 'svhn', 'stl10'} <= set(command_line.SOURCES)
    assert {'imagenet', 'coco'} == set(command_line.OWN_COPIES)


@pytest.mark.slow
def test_the_tool_ends_with_one_line_and_a_status(root, tmp_path):
    def run(*words):
        return subprocess.run(
            [sys.executable, str(root / 'tools/dataset_converters/prepare.py'), *words],
            cwd=tmp_path, text=True, capture_output=True, timeout=120, check=False)
    assert run('cifar10', '--check').returncode == 1
    (tmp_path / 'file').write_text('x')
    refused = run('svhn', '--root', 'file')
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[-1].startswith(f'error: cannot write {tmp_path}/file')
