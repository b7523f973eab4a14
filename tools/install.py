"""Make ``.venv`` with everything that `make demo` and `make test` need.

This needs the standard library only, and no compiler. It is done once: a stamp keyed
by what decides the set-up makes later calls return at once. After an interruption,
the next call continues where it stopped, because finished steps stay.
``--operators`` adds mmcv's compiled operators.
"""
import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from _install import preflight
from _install.mmcv import Mmcv
from _install.steps import Pip, SetupError, capture, lock, say, step

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / '.venv'
PYTHON = VENV / 'bin' / 'python'
STAMP = VENV / 'auglocal_mm_ready.json'
CONSTRAINTS = ROOT / 'constraints.txt'
BUILD = ROOT / 'build'
LOG = BUILD / 'install.log'
DECIDED_BY = ('constraints.txt', 'setup.py')
TORCH = ('torch', 'torchvision')
PROBED = ('torch', 'onedl-mmengine', 'onedl-mmcv')


def read_pins(text):
    """Return the unconditional ``name==version`` lines of a constraints file."""
    return dict(re.findall(r'^([\w.-]+)==([\w.+!]+)\s*$', text, flags=re.MULTILINE))


def setup_key(root, version):
    """Return a hash of what decides the set-up: files, Python version, place."""
    digest = hashlib.sha256(('%s %s' % (root, version)).encode())
    for name in DECIDED_BY:
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def venv_version(venv):
    """Return the ``'3.11'`` of an environment, or None where there is no usable one."""
    code = 'import sys, pip; print("%d.%d" % sys.version_info[:2])'
    found = capture([str(venv / 'bin' / 'python'), '-c', code])
    return found.strip() if found else None


def is_ready(wanted):
    """Say whether the set-up was finished before; cheap, starts no process."""
    try:
        stamp = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return False
    if wanted and stamp.get('python') != wanted:
        return False
    return (os.access(str(PYTHON), os.X_OK)
            and stamp.get('key') == setup_key(ROOT, stamp.get('python')))


def site_packages():
    """Return the environment's folder of packages, or None before it is there."""
    return next(iter(VENV.glob('lib/python3*/site-packages')), None)


def drop_half_installed(site):
    """Make pip forget what an interruption left half copied; return the names.

    pip writes ``INSTALLER`` and ``RECORD`` last, after a package's files.
    """
    dropped = []
    for info in sorted(site.glob('*.dist-info')):
        if not all((info / name).is_file() for name in ('INSTALLER', 'RECORD')):
            shutil.rmtree(str(info))
            dropped.append(info.name)
    return dropped


def check_machine():
    """Raise with every fault that can be seen without running pip."""
    missing = [name for name in ('venv', 'ensurepip') if not _importable(name)]
    site = site_packages()
    torch_is_in = site is not None and (site / 'torch').is_dir()
    free_gb = shutil.disk_usage(str(ROOT)).free / 1e9
    faults = [
        preflight.platform_fault(),
        preflight.python_fault(sys.version_info, sys.implementation.name),
        preflight.venv_fault(missing, sys.version_info),
        preflight.disk_fault(free_gb, torch_is_in),
    ]
    faults = [fault for fault in faults if fault]
    if faults:
        raise SetupError('\n'.join(faults))


def _importable(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True


def make_venv(pip):
    """Make ``.venv``, or keep the one there if it works."""
    if VENV.is_symlink() or VENV.exists():
        foreign = not (VENV / 'pyvenv.cfg').is_file() and any(
            path.is_file() for path in VENV.rglob('*'))
        if foreign:
            raise SetupError('%s exists and is no virtual environment.\nFix: move it away.' % VENV)
        say('remaking .venv: the one there is unfinished or for another Python')
        shutil.rmtree(str(VENV))
    pip.run([sys.executable, '-m', 'venv', str(VENV)])


def check_registry(pip, pins):
    """Raise unless pip finds the pinned packages on its index or in its folders."""
    site = site_packages()
    wanted = [name for name in PROBED if not _is_installed(site, name, pins[name])]
    with ThreadPoolExecutor(len(PROBED)) as pool:
        found = list(pool.map(lambda name: pip.offers(name, pins[name]), wanted))
    missing = ['%s==%s' % (name, pins[name]) for name, ok in zip(wanted, found) if not ok]
    fault = preflight.registry_fault(missing)
    if fault:
        raise SetupError(fault)


def _is_installed(site, name, version):
    pattern = '%s-%s.dist-info' % (name.replace('-', '_'), version)
    return any(site.glob(pattern)) or any(site.glob(pattern.replace('.dist', '+*.dist')))


def settle_opencv(pip):
    """Install both OpenCV wheels that the stack asks for, the headless one on top.

    They share one folder, and the last one wins. The other one needs libGL. A machine
    without a display lacks it, and every import would fail.
    """
    pip.install('opencv-python', 'opencv-python-headless')
    told = site_packages() / 'cv2' / 'version.py'
    if 'headless = True' not in told.read_text():
        pip.install('--force-reinstall', '--no-deps', 'opencv-python-headless')


def install(wanted):
    """Do the steps that are still to do."""
    check_machine()
    pip = make_pip()
    pins = read_pins(CONSTRAINTS.read_text())
    say('setting up .venv, once; the log is %s' % LOG.relative_to(ROOT))
    version = venv_version(VENV)
    if version not in ('%d.%d' % each for each in preflight.SUPPORTED) or (
            wanted and version != wanted):
        step(1, 'make .venv with Python %d.%d' % sys.version_info[:2], '10 s')
        make_venv(pip)
        version = venv_version(VENV)
    for name in drop_half_installed(site_packages()):
        say('was half installed, again: %s' % name)
    step(2, 'look for the packages', '10 s')
    check_registry(pip, pins)
    mmcv = Mmcv(pip=pip, root=BUILD, pins=pins, version=version)
    mmcv.look_up()
    step(3, 'pip and what builds Python packages', '15 s')
    pip.install('pip', 'setuptools', 'wheel')
    step(4, 'torch %s and torchvision %s (1.9 GB to download)' % (
        pins['torch'], pins['torchvision']), '1 to 5 min')
    pip.install(*TORCH)
    step(5, 'mmcv %s' % pins['onedl-mmcv'], '30 s')
    settle_opencv(pip)
    mmcv.install()
    step(6, 'OpenMMLab, test tools and this package', '1 to 2 min')
    pip.install('--no-build-isolation', '-e', '%s[onedl,demo,tests,dev,docs]' % ROOT)
    step(7, 'check that all parts work together', '30 s')
    pip.run([str(PYTHON), str(ROOT / 'tools' / 'doctor.py')])
    write_stamp(version)
    say('set-up done')


def make_pip():
    """Return the environment's pip."""
    return Pip(python=PYTHON, constraints=CONSTRAINTS, log=LOG)


def write_stamp(version):
    """Note that the set-up for this Python version is finished."""
    STAMP.write_text(json.dumps({'key': setup_key(ROOT, version), 'python': version}))


def compile_operators():
    """Give the finished environment mmcv's compiled operators.

    Meanwhile there is no stamp. If this is killed while it exchanges mmcv, the next set-up
    repairs the environment.
    """
    from _install.operators import add_operators
    version = venv_version(VENV)
    STAMP.unlink()
    add_operators(Mmcv(pip=make_pip(), root=BUILD, pins=read_pins(CONSTRAINTS.read_text()),
                       version=version), BUILD)
    write_stamp(version)


def main(argv=None):
    """Run the set-up unless it is done; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--this-python', action='store_true',
                        help='remake .venv if it was made with another Python version')
    parser.add_argument('--operators', action='store_true',
                        help="then compile mmcv's operators; needs a C++ compiler")
    parser.add_argument('--debug', action='store_true',
                        help='show the traceback of an error')
    arguments = parser.parse_args(argv)
    wanted = '%d.%d' % sys.version_info[:2] if arguments.this_python else None
    if is_ready(wanted) and not arguments.operators:
        return 0
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    try:
        with lock(BUILD / 'install.lock'):
            if not is_ready(wanted):
                install(wanted)
            if arguments.operators:
                compile_operators()
    except SetupError as error:
        print('set-up stopped: %s' % error, file=sys.stderr)
        return 1
    except Exception as error:
        if arguments.debug:
            raise
        print('set-up stopped: %s: %s (--debug shows the traceback)' % (
            type(error).__name__, ' '.join(str(error).split())), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\nset-up interrupted; the same command continues it', file=sys.stderr)
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
