"""Facts that accompany every number: software versions and hardware."""
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from auglocal_mm.version import __version__

#: Shown name -> distributions that provide it, the maintained one first.
DISTRIBUTIONS: dict[str, tuple[str, ...]] = {
    'torch': ('torch',),
    'torchvision': ('torchvision',),
    'mmengine': ('onedl-mmengine', 'mmengine'),
    'mmcv': ('onedl-mmcv', 'mmcv', 'mmcv-lite'),
    'mmdet': ('onedl-mmdetection', 'mmdet'),
    'mmpretrain': ('onedl-mmpretrain', 'mmpretrain'),
    'numpy': ('numpy',),
}


def versions() -> dict[str, str]:
    """Return the versions of Python, of this package and of what it depends on.

    Returns:
        Name to version; packages that are not installed are left out. If the name of
        the distribution differs from the import name, it is appended.
    """
    found = {'python': platform.python_version(), 'auglocal_mm': __version__}
    for name, distributions in DISTRIBUTIONS.items():
        for distribution in distributions:
            try:
                number = version(distribution)
            except PackageNotFoundError:
                continue
            found[name] = number if distribution == name else f'{number} ({distribution})'
            break
    return found


def cpu_model() -> str:
    """Return the processor's name as the system reports it, else its architecture."""
    try:
        text = Path('/proc/cpuinfo').read_text(encoding='utf-8')
    except OSError:
        text = ''
    for line in text.splitlines():
        key, _, value = line.partition(':')
        if key.strip() == 'model name' and value.strip():
            return value.strip()
    return platform.processor() or platform.machine()


def usable_cores() -> int:
    """Return the number of cores that this process may run on."""
    if hasattr(os, 'sched_getaffinity'):
        # A container or a job scheduler may allow fewer than the machine has.
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def accelerator() -> str | None:
    """Return the name of the first CUDA device, or None without one."""
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def hardware() -> dict[str, Any]:
    """Return processor, usable cores, memory in GiB and accelerator; no host name, no path."""
    facts: dict[str, Any] = {
        'cpu': cpu_model(),
        'cores': usable_cores(),
        'system': f'{platform.system()} {platform.machine()}',
        'accelerator': accelerator(),
    }
    try:
        pages, size = os.sysconf('SC_PHYS_PAGES'), os.sysconf('SC_PAGE_SIZE')
    except (AttributeError, OSError, ValueError):
        return facts
    facts['memory_gib'] = round(pages * size / 2**30, 1)
    return facts
