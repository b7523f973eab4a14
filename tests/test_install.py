"""The set-up: its checks, what makes it run again, and how it continues."""
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / 'tools'))
try:
    import install
    from _install import mmcv, operators, preflight, steps
finally:
    sys.path.remove(str(ROOT / 'tools'))

FAULTS = [
    (preflight.platform_fault('win32'), ['win32', 'must be linux']),
    (preflight.python_fault((3, 9, 1)), ['cpython 3.9', '3.10, 3.11, 3.12', 'PYTHON=']),
    (preflight.python_fault((3, 13, 0)), ['cpython 3.13', '3.10, 3.11, 3.12', 'PYTHON=']),
    (preflight.python_fault((3, 11, 0), 'pypy'), ['pypy 3.11', 'must be CPython']),
    (preflight.venv_fault(['ensurepip'], (3, 11)), ['ensurepip', 'python3.11-venv']),
    (preflight.disk_fault(7.94), ['7.9 GB', 'at least 8 GB']),
    (preflight.disk_fault(1.0, torch_is_in=True), ['1.0 GB', 'at least 2 GB']),
    (preflight.registry_fault(['torch==2.11.0']), ['torch==2.11.0', 'PIP_INDEX_URL']),
    (operators.compiler_fault(None, 'Python.h', version='3.10'), ['C++ compiler', 'install g++']),
    (operators.compiler_fault('/c++', None, version='3.10'), ['Python.h', 'python3.10-dev']),
]


@pytest.mark.parametrize(('fault', 'told'), FAULTS)
def test_fault_says_value_bound_and_fix(fault, told):
    assert all(word in fault for word in told)
    assert '\nFix: ' in fault
    assert fault.count('\n') == 1


@pytest.mark.parametrize('fault', [
    preflight.platform_fault('linux'),
    *(preflight.python_fault(version) for version in preflight.SUPPORTED),
    preflight.venv_fault([], (3, 11)),
    preflight.disk_fault(8.0),
    preflight.disk_fault(2.0, torch_is_in=True),
    preflight.registry_fault([]),
    operators.compiler_fault('/c++', 'Python.h', version='3.10'),
])
def test_a_machine_that_fits_has_no_fault(fault):
    assert fault is None


@given(cores=st.integers(1, 512), memory_gb=st.floats(0.1, 4096))
def test_build_jobs_never_exceed_cores_or_memory(cores, memory_gb):
    jobs = operators.build_jobs(cores, memory_gb)
    assert 1 <= jobs <= cores
    assert jobs == 1 or jobs * 1.5 <= memory_gb


@pytest.mark.parametrize(('facts', 'device'), [
    (('13.0', True, '13.1'), 'cuda'),
    (('13.0', True, '12.8'), 'cpu'),
    (('13.0', True, None), 'cpu'),
    (('13.0', False, '13.0'), 'cpu'),
    ((None, False, None), 'cpu'),
])
def test_operators_are_built_for_cuda_only_with_a_fitting_compiler(facts, device):
    assert operators.build_device(*facts) == device


def constraints():
    lines = (ROOT / 'constraints.txt').read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith('#')]


@pytest.mark.parametrize('version', ['3.10', '3.11', '3.12'])
def test_constraints_pin_each_package_once_for_each_python(version):
    environment = {'python_version': version}
    live = [each.name for each in constraints()
            if each.marker is None or each.marker.evaluate(environment)]
    assert sorted(live) == sorted({each.name for each in constraints()})
    assert all(str(each.specifier).startswith('==') for each in constraints())


def test_pins_are_read_without_the_conditional_ones():
    text = "# a==1\ntorch==2.11.0\nnumpy==2; python_version < '3.11'\nonedl-mmcv==2.3.6\n"
    assert install.read_pins(text) == {'torch': '2.11.0', 'onedl-mmcv': '2.3.6'}


def test_the_constraints_pin_what_the_setup_reads():
    pins = install.read_pins((ROOT / 'constraints.txt').read_text())
    assert set(install.PROBED) | set(install.TORCH) <= set(pins)


@pytest.fixture
def clone(tmp_path, monkeypatch):
    for name in install.DECIDED_BY:
        (tmp_path / name).write_text('1')
    venv = tmp_path / '.venv'
    monkeypatch.setattr(install, 'ROOT', tmp_path)
    monkeypatch.setattr(install, 'VENV', venv)
    monkeypatch.setattr(install, 'PYTHON', venv / 'bin' / 'python')
    monkeypatch.setattr(install, 'STAMP', venv / 'stamp.json')
    monkeypatch.setattr(install, 'BUILD', tmp_path / 'build')
    monkeypatch.setattr(install, 'CONSTRAINTS', tmp_path / 'constraints.txt')
    monkeypatch.setattr(install, 'LOG', tmp_path / 'build' / 'install.log')
    return tmp_path


def finish(clone, version='3.11'):
    python = clone / '.venv' / 'bin' / 'python'
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    key = install.setup_key(clone, version)
    install.STAMP.write_text(json.dumps({'key': key, 'python': version}))


def test_a_finished_setup_is_not_repeated(clone, monkeypatch):
    assert not install.is_ready(None)
    finish(clone)
    assert install.is_ready(None)
    assert install.is_ready('3.11')
    monkeypatch.setattr(install, 'install', lambda wanted: pytest.fail('set up again'))
    assert install.main([]) == 0


@pytest.mark.parametrize('change', [
    lambda clone: (clone / 'constraints.txt').write_text('2'),
    lambda clone: (clone / 'setup.py').write_text('2'),
    lambda clone: (clone / '.venv' / 'bin' / 'python').unlink(),
    lambda clone: install.STAMP.write_text('{"key'),
])
def test_what_decides_the_setup_makes_it_run_again(clone, change):
    finish(clone)
    change(clone)
    assert not install.is_ready(None)


def test_another_chosen_python_makes_it_run_again(clone):
    finish(clone, '3.11')
    assert not install.is_ready('3.12')


def test_a_fault_stops_before_any_work(clone, monkeypatch, capsys):
    usage = namedtuple('usage', 'total used free')(100, 99, int(3e9))
    monkeypatch.setattr(install.shutil, 'disk_usage', lambda path: usage)
    assert install.main([]) == 1
    assert '3.0 GB free' in capsys.readouterr().err
    assert not (clone / '.venv').exists()


def test_half_installed_packages_are_installed_again(tmp_path):
    for name, files in {'whole-1': ('INSTALLER', 'RECORD'), 'half-1': ('METADATA',),
                        'nearly-1': ('METADATA', 'INSTALLER')}.items():
        (tmp_path / f'{name}.dist-info').mkdir()
        for file in files:
            (tmp_path / f'{name}.dist-info' / file).touch()
    assert install.drop_half_installed(tmp_path) == ['half-1.dist-info', 'nearly-1.dist-info']
    assert [path.name for path in tmp_path.iterdir()] == ['whole-1.dist-info']


class FakePip:
    """Answers like pip, and installs: ``wheel`` is what a download brings."""

    def __init__(self, root, wheel=None):
        self.python = root / '.venv' / 'bin' / 'python'
        self.log = root / 'log'
        self.constraints = root / 'constraints.txt'
        self.wheel = wheel
        self.commands = []
        self.mmcv = root / '.venv' / 'lib' / 'python3.11' / 'site-packages' / 'mmcv'

    def run(self, command, **environment):
        self.commands.append(command)

    def call(self, command, *arguments, **environment):
        self.commands.append([command, *arguments])
        if command == 'download':
            if self.wheel is None:
                raise steps.SetupError('no matching distribution')
            target = Path(arguments[arguments.index('--dest') + 1])
            write_wheel(target / 'onedl_mmcv-2.3.6-py3-none-any.whl', self.wheel)
        elif command == 'uninstall':
            shutil.rmtree(self.mmcv, ignore_errors=True)

    def install(self, *requirements):
        self.commands.append(['install', *requirements])
        names = ['mmcv/__init__.py']
        if requirements[-1].endswith('.whl'):
            names = zipfile.ZipFile(requirements[-1]).namelist()
        for name in names:
            (self.mmcv.parent / name).parent.mkdir(parents=True, exist_ok=True)
            (self.mmcv.parent / name).touch()

    @property
    def compiled(self):
        """Whether the environment has compiled operators; None without any mmcv."""
        return any(self.mmcv.glob('_ext*.so')) if self.mmcv.exists() else None


def write_wheel(path, names):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, 'w') as archive:
        for name in names:
            archive.writestr(name, '')


OPS = ['mmcv/__init__.py', 'mmcv/_ext.cpython-311-x86_64-linux-gnu.so']
PINS = {'onedl-mmcv': '2.3.6', 'torch': '2.11.0'}


def make_mmcv(root, pip, *, loads=True):
    """Return the mmcv of a fake environment, whose compiled operators load or not."""
    made = mmcv.Mmcv(pip=pip, root=root / 'build', pins=PINS, version='3.11')
    made.loads = lambda: bool(pip.compiled) and loads
    return made


def test_an_unfinished_venv_is_remade(clone):
    pip = FakePip(clone)
    (clone / '.venv' / 'lib').mkdir(parents=True)
    install.make_venv(pip)
    assert not (clone / '.venv').exists()
    assert pip.commands[0][1:3] == ['-m', 'venv']


def test_a_folder_that_is_no_venv_is_left_alone(clone):
    (clone / '.venv').mkdir()
    (clone / '.venv' / 'thesis.txt').touch()
    with pytest.raises(steps.SetupError, match='no virtual environment'):
        install.make_venv(FakePip(clone))
    assert (clone / '.venv' / 'thesis.txt').exists()


def test_without_a_wheel_mmcv_is_pure_python_and_nothing_is_compiled(tmp_path):
    pip = FakePip(tmp_path)
    made = make_mmcv(tmp_path, pip)
    made.look_up()
    made.install()
    assert pip.compiled is False
    assert pip.commands[-1][0] == 'install'
    assert '--no-build-isolation' not in pip.commands[-1]


def test_a_wheel_with_operators_is_taken(tmp_path):
    pip = FakePip(tmp_path, OPS)
    made = make_mmcv(tmp_path, pip)
    made.look_up()
    made.install()
    assert pip.compiled


def test_a_wheel_without_operators_is_no_gain(tmp_path):
    pip = FakePip(tmp_path, OPS[:1])
    made = make_mmcv(tmp_path, pip)
    made.look_up()
    assert made.wheel is None


def test_a_wheel_of_an_earlier_setup_comes_first(tmp_path):
    pip = FakePip(tmp_path, OPS)
    made = make_mmcv(tmp_path, pip)
    write_wheel(made.wheels / 'onedl_mmcv-2.3.6-cp311.whl', OPS)
    made.look_up()
    assert made.wheel.name == 'onedl_mmcv-2.3.6-cp311.whl'
    assert not pip.commands


def test_a_wheel_that_does_not_load_gives_way_to_pure_python(tmp_path, capsys):
    pip = FakePip(tmp_path, OPS)
    made = make_mmcv(tmp_path, pip, loads=False)
    made.look_up()
    found = made.wheel
    made.install()
    assert pip.compiled is False
    assert not found.exists()
    assert f'{found.name} does not load with this torch' in capsys.readouterr().out


@pytest.mark.parametrize('loads', [True, False])
def test_compiled_operators_stay_as_long_as_they_load(tmp_path, loads):
    """A later set-up, of another torch for instance, finds what `make operators` left."""
    pip = FakePip(tmp_path)
    write_wheel(tmp_path / 'ops.whl', OPS)
    pip.install(str(tmp_path / 'ops.whl'))
    make_mmcv(tmp_path, pip, loads=loads).install()
    assert pip.compiled is loads


def add(monkeypatch, made, *, compiler, built=None):
    monkeypatch.setattr(operators, 'find_compiler', lambda: compiler)
    monkeypatch.setattr(operators, 'find_headers', lambda python: 'Python.h')
    monkeypatch.setattr(operators, '_build', lambda made, folder: built)
    operators.add_operators(made, made.wheels.parent.parent)


@pytest.mark.parametrize(('body', 'runs'), [('exit 0', True), ('exit 1', False)])
def test_a_compiler_that_does_not_run_is_none(tmp_path, monkeypatch, body, runs):
    script(tmp_path / 'c++', body)
    monkeypatch.setenv('CXX', f'{tmp_path}/c++ -O2')
    assert operators.find_compiler() == (f'{tmp_path}/c++' if runs else None)


def test_without_a_compiler_mmcv_stays_pure_python(tmp_path, monkeypatch):
    pip = FakePip(tmp_path)
    with pytest.raises(steps.SetupError, match=r'no C\+\+ compiler'):
        add(monkeypatch, make_mmcv(tmp_path, pip), compiler=None)
    assert pip.compiled is False


@pytest.mark.parametrize('found', [None, OPS], ids=['compiled', 'found'])
def test_operators_are_added_to_a_finished_environment(tmp_path, monkeypatch, found):
    pip = FakePip(tmp_path)
    make_mmcv(tmp_path, pip).install()
    pip.wheel = found
    write_wheel(tmp_path / 'built.whl', OPS)
    compiler, built = (None, None) if found else ('/c++', tmp_path / 'built.whl')
    add(monkeypatch, make_mmcv(tmp_path, pip), compiler=compiler, built=built)
    assert pip.compiled


def test_operators_that_do_not_load_are_taken_out_again(tmp_path, monkeypatch):
    pip = FakePip(tmp_path)
    write_wheel(tmp_path / 'built.whl', OPS)
    with pytest.raises(steps.SetupError, match='do not load'):
        add(monkeypatch, make_mmcv(tmp_path, pip, loads=False), compiler='/c++',
            built=tmp_path / 'built.whl')
    assert pip.compiled is False


@pytest.mark.parametrize('fails', [False, True])
def test_the_setup_is_repeated_after_a_broken_exchange_of_operators(clone, monkeypatch, fails):
    def add_operators(made, root):
        assert not install.is_ready(None)
        if fails:
            raise steps.SetupError('killed')

    finish(clone)
    monkeypatch.setattr(operators, 'add_operators', add_operators)
    monkeypatch.setattr(install, 'venv_version', lambda venv: '3.11')
    (clone / 'constraints.txt').write_text('onedl-mmcv==2.3.6\ntorch==2.11.0\n')
    install.write_stamp('3.11')
    assert install.main(['--operators']) == fails
    assert install.is_ready(None) is not fails


def test_a_killed_setups_command_keeps_the_lock(tmp_path):
    """The next set-up waits for a pip that is still writing."""
    code = ('import pathlib, sys; sys.path.insert(0, sys.argv[1]);'
            'from _install.steps import Runner, lock; place = pathlib.Path(sys.argv[2]);\n'
            'with lock(place / "lock"): Runner(place / "log").run(["sh", "-c", sys.argv[3]])')
    command = f'echo $$ > {tmp_path}/child; echo > {tmp_path}/begun; exec sleep 60'
    killed = subprocess.Popen([sys.executable, '-c', code, str(ROOT / 'tools'), str(tmp_path),
                               command])
    try:
        while not (tmp_path / 'begun').exists():
            assert killed.poll() is None
            time.sleep(0.05)
    finally:
        killed.kill()
        killed.wait()
    with open(tmp_path / 'lock') as handle:
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.kill(int((tmp_path / 'child').read_text()), signal.SIGKILL)
        fcntl.flock(handle, fcntl.LOCK_EX)


def test_failure_shows_the_log_and_its_last_lines(tmp_path):
    runner = steps.Runner(tmp_path / 'build' / 'log')
    code = 'print("\\n".join(f"line {i}." for i in range(99))); raise SystemExit(3)'
    with pytest.raises(steps.SetupError) as error:
        runner.run([sys.executable, '-c', code])
    assert 'exit status 3' in str(error.value)
    assert 'line 98.' in str(error.value)
    assert 'line 1.' not in str(error.value)
    assert str(runner.log) in str(error.value)


def test_build_progress_is_the_last_count():
    assert operators.build_progress(['x [1/78] c++', 'y', '[12/78] c++', 'z']) == '12/78 files, '
    assert operators.build_progress(['nothing']) == ''


@pytest.mark.parametrize(('listed', 'offered'), [
    ('torch (2.12.0)\nAvailable versions: 2.12.0, 2.11.0, 2.1', True),
    ('torch (2.11.0)\nAvailable versions: 2.11.0+cu130', True),
    ('torch (2.12.0)\nAvailable versions: 2.12.0, 2.11.01', False),
    (None, False),
])
def test_offers_reads_pips_list(tmp_path, monkeypatch, listed, offered):
    monkeypatch.setattr(steps, 'capture', lambda command: listed)
    pip = steps.Pip(python='python', constraints='c', log=tmp_path / 'log')
    assert pip.offers('torch', '2.11.0') is offered


def test_children_are_free_of_redirections(monkeypatch):
    monkeypatch.setenv('PYTHONPATH', '/elsewhere')
    monkeypatch.setenv('PIP_USER', '1')
    monkeypatch.setenv('PIP_FIND_LINKS', 'a b')
    environment = steps.clean_environment(MAX_JOBS='2')
    assert 'PYTHONPATH' not in environment
    assert environment['PIP_USER'] == '0'
    assert environment['PIP_FIND_LINKS'] == 'a b'
    assert environment['MAX_JOBS'] == '2'


def script(path, text):
    path.write_text(f'#!/bin/sh\n{text}\n')
    path.chmod(0o755)


def test_make_takes_the_first_python_that_runs(tmp_path):
    """A name on PATH proves nothing: version managers put failing ones there."""
    for name in ('python3.11', 'python3', 'python'):
        script(tmp_path / name, 'exit 127')
    for name in ('python3.12', 'python3.10'):
        script(tmp_path / name, 'exit 0')
    ours = ('PYTHON', 'MAKEFLAGS', 'MFLAGS', 'MAKEOVERRIDES')
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    environment['PATH'] = f'{tmp_path}:{environment["PATH"]}'
    done = subprocess.run(['make', '-n', 'setup'], cwd=ROOT, env=environment, check=True,
                          capture_output=True, text=True)
    assert 'python="python3.12"' in done.stdout
    assert '--this-python' not in done.stdout
