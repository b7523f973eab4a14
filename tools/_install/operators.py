"""Compile mmcv's operators from source, for `make operators`.

Nothing else runs this file, and nothing else in the set-up needs a compiler. The wheel
stays under ``build/`` for the next set-up. An interrupted build continues.
"""
import os
import re
import shutil
import tarfile
from pathlib import Path

from .mmcv import NAME, newest_with_operators
from .steps import SetupError, capture, say

DEVICE = '''
import torch
from torch.utils.cpp_extension import CUDA_HOME
print(torch.version.cuda, torch.cuda.is_available(), CUDA_HOME)
'''


def compiler_fault(compiler, headers, *, version):
    """Return the fault of a machine that cannot compile, or None.

    Args:
        compiler: Path of the C++ compiler, or None.
        headers: Path of an existing ``Python.h``, or None.
        version: Python version such as ``'3.11'``.
    """
    if compiler and headers:
        return None
    lack, package = (('C++ compiler', 'g++') if not compiler
                     else ('header file Python.h', 'python%s-dev' % version))
    return ('there is no %s, which compiling mmcv\'s operators needs.\n'
            'Fix: install it (Debian and Ubuntu: apt-get install %s), or name a folder with '
            'a wheel (PIP_FIND_LINKS). Everything else runs without.' % (lack, package))


def build_device(torch_cuda, cuda_available, nvcc_release):
    """Return ``'cuda'`` or ``'cpu'``: what mmcv's operators can be compiled for.

    Args:
        torch_cuda: CUDA version that torch was built with, e.g. ``'13.0'``, or None.
        cuda_available: Whether torch sees a device.
        nvcc_release: Release of the CUDA compiler found, e.g. ``'13.0'``, or None.
    """
    same_major = (torch_cuda or '').split('.')[0] == (nvcc_release or '-').split('.')[0]
    return 'cuda' if cuda_available and same_major else 'cpu'


def build_jobs(cores, memory_gb):
    """Return how many files to compile at once: all cores, 1.5 GB of memory for each."""
    return max(1, min(cores, int(memory_gb / 1.5)))


def build_minutes(jobs):
    """Return the expected duration of the build, from 19 min measured with 2 jobs."""
    return max(2, int(round(38 / jobs)))


def build_progress(lines):
    """Return the last ``'12/78 files, '`` that ninja reported among lines, or ''."""
    counts = re.findall(r'\[(\d+)/(\d+)\]', '\n'.join(lines))
    return '%s/%s files, ' % counts[-1] if counts else ''


def find_compiler():
    """Return the path of a C++ compiler that runs, or None; ``CXX`` overrides."""
    names = [os.environ['CXX'].split()[0]] if os.environ.get('CXX') else ['c++', 'g++', 'clang++']
    found = filter(None, map(shutil.which, names))
    return next((path for path in found if capture([path, '--version']) is not None), None)


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
    return build_jobs(len(os.sched_getaffinity(0)), memory_gb)


def add_operators(mmcv, root):
    """Give a finished environment's mmcv its compiled operators.

    Args:
        mmcv: The environment's :class:`~_install.mmcv.Mmcv`.
        root: The folder ``build/``, where the source and the object files lie.
    """
    mmcv.look_up()
    mmcv.install()
    if mmcv.loads():
        say('mmcv\'s compiled operators are in .venv')
        return
    fault = compiler_fault(find_compiler(), find_headers(mmcv.pip.python),
                           version=mmcv.python_version)
    if fault:
        raise SetupError(fault)
    say('compiling mmcv %s, %d files at once: about %d min' % (
        mmcv.version, jobs(), build_minutes(jobs())))
    mmcv.wheel = _build(mmcv, root / 'mmcv-source' / mmcv.tag)
    mmcv.install()
    if not mmcv.loads():
        raise SetupError('mmcv was compiled but its operators do not load.\nFix: read what '
                         '`%s -c "import torch, mmcv._ext"` says.' % mmcv.pip.python)
    say('mmcv\'s compiled operators are in use from now on')


def _build(mmcv, folder):
    """Return a wheel with operators, built from source and kept under ``build/``."""
    mmcv.pip.install('ninja', 'numpy', 'packaging')
    source = _unpack_source(mmcv, folder)
    environment = {'MMCV_WITH_OPS': '1', 'MAX_JOBS': str(jobs())}
    if _device(mmcv.pip.python) == 'cpu':
        environment['CUDA_VISIBLE_DEVICES'] = ''
    mmcv.pip.progress = build_progress
    mmcv.pip.call('wheel', '--verbose', '--no-deps', '--no-build-isolation', '--no-cache-dir',
                  '--wheel-dir', str(folder), str(source), **environment)
    wheel = newest_with_operators(folder)
    if wheel is None:
        raise SetupError('the build made no operators.\nFix: read %s.' % mmcv.pip.log)
    mmcv.wheels.mkdir(parents=True, exist_ok=True)
    kept = mmcv.wheels / wheel.name
    wheel.rename(kept)
    shutil.rmtree(str(folder))
    return kept


def _unpack_source(mmcv, folder):
    """Return the unpacked source, kept so that an interrupted build continues."""
    done = folder / 'unpacked'
    if not done.is_file():
        shutil.rmtree(str(folder), ignore_errors=True)
        mmcv.pip.call('download', '--no-deps', '--no-build-isolation', '--no-binary', NAME,
                      '--dest', str(folder), mmcv.requirement)
        with tarfile.open(str(next(folder.glob('*.tar.gz')))) as archive:
            archive.extractall(str(folder))
        done.touch()
    return next(path for path in folder.iterdir() if (path / 'setup.py').is_file())


def _device(python):
    told = (capture([str(python), '-c', DEVICE], timeout_s=120) or '').split()
    if len(told) != 3 or told[1] != 'True':
        return 'cpu'
    nvcc = capture([str(Path(told[2]) / 'bin' / 'nvcc'), '--version']) or ''
    release = nvcc.partition('release ')[2].partition(',')[0] or None
    device = build_device(told[0], True, release)
    if device == 'cpu':
        say('compiled for the CPU alone: torch uses CUDA %s, the compiler nvcc has %s' % (
            told[0], release))
    return device
