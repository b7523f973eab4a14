"""Finds or builds an mmcv wheel that has its compiled operators.

No index carries one for the maintained mmcv, and pip's own build of the sdist
silently leaves the operators out. So: a wheel built here before, else one that
pip finds and that has operators, else a build from source.
"""
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

from . import preflight
from .steps import SetupError, capture, say

NAME = 'onedl-mmcv'
USABLE = 'import torch; from mmcv.ops import nms; import mmcv._ext'
DEVICE = '''
import torch
from torch.utils.cpp_extension import CUDA_HOME
print(torch.version.cuda, torch.cuda.is_available(), CUDA_HOME)
'''


def has_operators(wheel):
    """Say whether a wheel holds the compiled operators."""
    try:
        with zipfile.ZipFile(str(wheel)) as archive:
            return any(name.startswith('mmcv/_ext') and name.endswith('.so')
                       for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def newest_with_operators(folder):
    """Return the newest wheel in a folder that has operators, or None."""
    wheels = sorted(folder.glob('*.whl'), key=lambda path: path.stat().st_mtime)
    return next((path for path in reversed(wheels) if has_operators(path)), None)


def find_compiler():
    """Return the path of the C++ compiler, or None; ``CXX`` overrides."""
    names = [os.environ['CXX'].split()[0]] if os.environ.get('CXX') else ['c++', 'g++', 'clang++']
    return next(filter(None, map(shutil.which, names)), None)


def find_headers(python):
    """Return the path of an interpreter's ``Python.h``, or None."""
    code = 'import sysconfig; print(sysconfig.get_paths()["include"])'
    header = Path((capture([str(python), '-c', code]) or '').strip()) / 'Python.h'
    return str(header) if header.is_file() else None


def jobs():
    """Return how many files to compile at once; ``MAX_JOBS`` overrides."""
    if os.environ.get('MAX_JOBS', '').isdigit():
        return int(os.environ['MAX_JOBS'])
    memory_gb = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 1e9
    return preflight.build_jobs(len(os.sched_getaffinity(0)), memory_gb)


class Wheels:
    """The mmcv wheels of one environment, kept under ``build/`` for the next."""

    def __init__(self, *, pip, root, pins, version):
        self.pip = pip
        self.python_version = version
        self.version = pins[NAME]
        tag = 'cp%s-torch%s' % (version.replace('.', ''), pins['torch'])
        self.built = root / 'wheels' / tag
        self.found = root / 'wheels' / (tag + '-found')
        self.source = root / 'mmcv-source' / tag
        self.wheel = None

    @property
    def requirement(self):
        """The pinned requirement, e.g. ``onedl-mmcv==2.3.6``."""
        return '%s==%s' % (NAME, self.version)

    def usable(self):
        """Say whether the installed mmcv's operators load."""
        return capture([str(self.pip.python), '-c', USABLE], timeout_s=300) is not None

    def look_up(self):
        """Find a wheel, or make sure that one can be built, before any long work."""
        self.wheel = newest_with_operators(self.built) or newest_with_operators(self.found)
        if self.wheel is None:
            self._fetch()
        if self.wheel is not None:
            say('mmcv wheel: %s' % self.wheel.name)
        elif not self._is_installed():
            self._need_compiler()

    def _is_installed(self):
        site = self.pip.python.parent.parent
        return any(site.glob('lib/python3*/site-packages/mmcv/_ext*.so'))

    def _fetch(self):
        try:
            self.pip.call('download', '--no-deps', '--no-cache-dir', '--only-binary', NAME,
                          '--dest', str(self.found), self.requirement)
        except SetupError:
            return  # the usual case: indexes have the source alone
        self.wheel = newest_with_operators(self.found)
        if self.wheel is None:
            say('the mmcv wheel that pip finds has no operators; it is left aside')

    def _need_compiler(self, reason='no ready-made mmcv wheel was found'):
        fault = preflight.compiler_fault(find_compiler(), find_headers(self.pip.python),
                                         reason=reason, version=self.python_version)
        if fault:
            raise SetupError(fault)

    def expected(self):
        """Return the expected duration of :meth:`install`, in words."""
        if self.wheel or self._is_installed():
            return '20 s'
        return '%d min: built from source, %d files at once' % (
            preflight.build_minutes(jobs()), jobs())

    def install(self):
        """Install mmcv with operators that load; build it where nothing else does."""
        if self.usable():
            return
        if self.wheel is not None and not self._try_wheel():
            say('%s does not load with this torch; building from source' % self.wheel.name)
            self.wheel.unlink()
            self.wheel = None
        if self.wheel is None:
            self._need_compiler('the mmcv found does not load here')
            self.wheel = self._build()
            if not self._try_wheel():
                raise SetupError('mmcv was built but its operators do not load.\nFix: read what '
                                 '`%s -c "import mmcv.ops"` says.' % self.pip.python)

    def _try_wheel(self):
        self.pip.call('uninstall', '--yes', NAME)
        self.pip.install(str(self.wheel))
        return self.usable()

    def _unpack_source(self):
        """Return the unpacked source, kept so that an interrupted build continues."""
        done = self.source / 'unpacked'
        if not done.is_file():
            shutil.rmtree(str(self.source), ignore_errors=True)
            self.pip.call('download', '--no-deps', '--no-build-isolation', '--no-binary', NAME,
                          '--dest', str(self.source), self.requirement)
            with tarfile.open(str(next(self.source.glob('*.tar.gz')))) as archive:
                archive.extractall(str(self.source))
            done.touch()
        return next(path for path in self.source.iterdir() if (path / 'setup.py').is_file())

    def _build(self):
        source = self._unpack_source()
        environment = {'MMCV_WITH_OPS': '1', 'MAX_JOBS': str(jobs())}
        if self._device() == 'cpu':
            environment['CUDA_VISIBLE_DEVICES'] = ''
        self.pip.call('wheel', '--verbose', '--no-deps', '--no-build-isolation', '--no-cache-dir',
                      '--wheel-dir', str(self.source), str(source), **environment)
        wheel = newest_with_operators(self.source)
        if wheel is None:
            raise SetupError('the mmcv build made no operators.\nFix: read %s.' % self.pip.log)
        self.built.mkdir(parents=True, exist_ok=True)
        kept = self.built / wheel.name
        wheel.rename(kept)
        shutil.rmtree(str(self.source))
        return kept

    def _device(self):
        told = (capture([str(self.pip.python), '-c', DEVICE], timeout_s=120) or '').split()
        if len(told) != 3 or told[1] != 'True':
            return 'cpu'
        nvcc = capture([str(Path(told[2]) / 'bin' / 'nvcc'), '--version']) or ''
        release = nvcc.partition('release ')[2].partition(',')[0] or None
        device = preflight.build_device(told[0], True, release)
        if device == 'cpu':
            say('mmcv\'s operators are built for the CPU alone: torch uses CUDA %s, the compiler '
                'nvcc has %s' % (told[0], release))
        return device
