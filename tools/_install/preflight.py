"""Checks made before set-up downloads or builds anything.

Pure functions of facts: each returns what is wrong, with the value, the bound
and the fix, or None. Runs on any Python 3, to be able to refuse an old one.
"""
import sys

SUPPORTED = ((3, 10), (3, 11), (3, 12))
DISK_GB = 8
DISK_GB_ONCE_TORCH_IS_IN = 2
PYTHON_FIX = 'install one of them and run `make PYTHON=/path/to/python3.11 ...`'


def _dotted(version):
    return '.'.join(str(part) for part in version[:2])


def platform_fault(platform=sys.platform):
    """Return the fault of an operating system that is not Linux."""
    if platform.startswith('linux'):
        return None
    return ('operating system is %s, must be linux: PyTorch and the OpenMMLab wheels pinned '
            'here are for Linux.\nFix: use a Linux machine or container.' % platform)


def python_fault(version, implementation='cpython'):
    """Return the fault of an interpreter that the pinned stack does not support."""
    if implementation == 'cpython' and tuple(version[:2]) in SUPPORTED:
        return None
    return ('Python is %s %s, must be CPython %s.\nFix: %s.'
            % (implementation, _dotted(version), ', '.join(map(_dotted, SUPPORTED)), PYTHON_FIX))


def venv_fault(missing, version):
    """Return the fault of a Python whose modules for making environments are missing."""
    if not missing:
        return None
    return ('Python %s lacks the module %s, needed to make .venv.\n'
            'Fix: install it (Debian and Ubuntu: apt-get install python%s-venv).'
            % (_dotted(version), ' and '.join(missing), _dotted(version)))


def disk_fault(free_gb, torch_is_in=False):
    """Return the fault of a disk too full for the environment."""
    needed = DISK_GB_ONCE_TORCH_IS_IN if torch_is_in else DISK_GB
    if free_gb >= needed:
        return None
    return ('%.1f GB free where the clone lies, must be at least %d GB (the environment takes '
            'most of it).\nFix: free space, or clone to a larger disk.' % (free_gb, needed))


def registry_fault(missing):
    """Return the fault of a registry that does not offer all pinned packages.

    Args:
        missing: Requirements such as ``torch==2.11.0`` that pip did not find.
    """
    if not missing:
        return None
    return ('pip finds no %s: no package registry was reached, or it lacks this version.\n'
            'Fix: check the network and proxy, or name another index (PIP_INDEX_URL) or a '
            'folder of wheels (PIP_FIND_LINKS).' % ', '.join(missing))
