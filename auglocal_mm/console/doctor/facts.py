"""What the doctor sees: versions, imports tried in child processes, data folders.

Each import runs in a process of its own. So a crash in compiled code or a missing part
is one more fact, and never the doctor's end.
"""
import json
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
TIMEOUT_S = 600
LISTED = (
    'torch', 'torchvision', 'numpy', 'onedl-mmengine', 'mmengine', 'onedl-mmcv', 'mmcv',
    'mmcv-full', 'mmcv-lite', 'onedl-mmdetection', 'mmdet', 'onedl-mmpretrain', 'mmpretrain',
    'pycocotools', 'opencv-python', 'opencv-python-headless', 'setuptools', 'transformers',
    'scikit-learn', 'matplotlib', 'fvcore', 'auglocal_mm',
)
DATA = {
    'data/cifar10': ('cifar-10-batches-py',),
    'data/imagenet': ('train', 'val'),
    'data/coco': ('annotations', 'train2017', 'val2017'),
}

# Each probe fills the dict `told`; where it fails, the error is the fact.
PROBES = {
    'torch': '''
import torch, torchvision
told.update(cuda=torch.version.cuda, available=torch.cuda.is_available(),
            devices=[torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())])
torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
''',
    'mmcv.ops': '''
import auglocal_mm
from auglocal_mm.operators import in_use
told['operators'] = in_use()
import torch
from mmcv.ops import get_compiling_cuda_version, nms, roi_align
boxes = torch.tensor([[0., 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30]])
kept = nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5)[1].tolist()
rois = torch.tensor([[0., 0, 0, 4, 4]])
pooled = roi_align(torch.arange(16.).reshape(1, 1, 4, 4), rois, (2, 2), 1.0, 0, 'avg', True)
assert kept == [0, 2], f'nms kept boxes {kept}, must be [0, 2]'
assert pooled.flatten().tolist() == [2.5, 4.5, 10.5, 12.5], f'roi_align gave {pooled.tolist()}'
told['cuda'] = get_compiling_cuda_version()
''',
    'mmengine': '''
import mmengine.runner
from mmengine.utils import get_installed_path
get_installed_path('mmengine')
''',
    'mmpretrain.models': 'import mmpretrain.models',
    'mmdet.models': '''
import auglocal_mm
import mmdet.models
''',
    'auglocal_mm': '''
import auglocal_mm
told['place'] = auglocal_mm.__path__[0]
import auglocal_mm.registry
''',
}
WRAP = '''
import json, sys, traceback, warnings
warnings.simplefilter('ignore')
told = {{}}
try:
    exec({code!r})
except BaseException as error:
    told['error'] = f'{{type(error).__name__}}: {{error}}'
print('told ' + json.dumps(told))
'''


@dataclass(frozen=True)
class Facts:
    """Everything that the doctor judges.

    Attributes:
        python: Version as a triple.
        implementation: Such as ``'CPython'``.
        versions: Distribution name to version, of those installed.
        probes: Probe name to what it told; ``'error'`` is there if it failed.
        data: Expected folder to what is missing in it; None if it is not there.
    """

    python: tuple[int, int, int]
    implementation: str
    versions: dict[str, str]
    probes: dict[str, dict[str, Any]]
    data: dict[str, list[str] | None] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as plain values."""
        return asdict(self)


def installed_versions() -> dict[str, str]:
    """Return name to version of the installed distributions that matter here."""
    versions = {}
    for name in LISTED:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def last_told(output: str) -> dict[str, Any] | None:
    """Return what a probe's last line told, or None if it never got there."""
    # What a probe imports may print, too.
    for line in reversed(output.splitlines()):
        if line.startswith('told '):
            return json.loads(line[len('told '):])
    return None


def run_probe(code: str) -> dict[str, Any]:
    """Run code in a child of this interpreter and return what it told."""
    # Appended, so that an installed package is tried, and this folder only where there is none.
    inserted = f'import sys; sys.path.append({str(ROOT)!r})\n'
    command = [sys.executable, '-c', inserted + WRAP.format(code=code)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return {'error': f'did not end within {TIMEOUT_S} s'}
    told = last_told(done.stdout)
    if told is None:
        lines = done.stderr.strip().splitlines() or ['']
        return {'error': f'the process ended with status {done.returncode}: {lines[-1]}'}
    return told


def data_state(root: Path) -> dict[str, list[str] | None]:
    """Return for each expected folder what it lacks, None where it is not there."""
    return {
        name: [part for part in parts if not (root / name / part).exists()]
        if (root / name).is_dir() else None
        for name, parts in DATA.items()
    }


def collect(root: Path | None = None) -> Facts:
    """Look at this interpreter's environment, and at the data folders under ``root``."""
    with ThreadPoolExecutor(2) as pool:
        probes = dict(zip(PROBES, pool.map(run_probe, PROBES.values()), strict=True))
    version = sys.version_info
    return Facts(
        python=(version.major, version.minor, version.micro),
        implementation=platform.python_implementation(),
        versions=installed_versions(),
        probes=probes,
        data=data_state(root or Path.cwd()),
    )
