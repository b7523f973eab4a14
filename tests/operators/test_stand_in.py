"""Where ``mmcv._ext`` comes from, as fresh interpreters see it, and what it lacks."""
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from mmengine.utils import get_installed_path
from operator_extensions import STAND_INS

from auglocal_mm.operators import MissingOperatorError
from auglocal_mm.operators.missing import PURPOSES, missing_operator, purpose_of


def link_mmcv(folder, *, extension=None):
    """Make an mmcv without compiled operators, or with a module in their place alone."""
    package = folder / 'mmcv'
    if package.exists():
        return folder
    package.mkdir()
    if extension is not None:
        # Nothing else of mmcv: importing it would take longer than the rest.
        (package / '__init__.py').touch()
        (package / '_ext.py').write_text(extension)
        return folder
    for path in Path(find_spec('mmcv').origin).parent.iterdir():
        if not path.name.startswith(('_ext', '__pycache__')):
            (package / path.name).symlink_to(path)
    return folder


@pytest.fixture
def run(root, tmp_path):
    """Return a function that runs code beside an mmcv made by :func:`link_mmcv`."""
    def call(*command, **options):
        path = f'{link_mmcv(tmp_path, **options)}:{root}'
        command = ['-c', *command] if len(command) == 1 else command
        return subprocess.run(
            [sys.executable, '-W', 'ignore', *command], capture_output=True, text=True,
            cwd=tmp_path, env={'PATH': '/usr/bin:/bin', 'PYTHONPATH': path, 'HOME': str(tmp_path),
                               'OMP_NUM_THREADS': '1'})
    return call


def test_the_package_stays_light(run):
    done = run('import sys, auglocal_mm\n'
               'from auglocal_mm.operators import in_use\n'
               'heavy = {"torch", "mmcv", "mmengine", "torchvision", "numpy"}\n'
               'print(in_use(), sorted(heavy & set(sys.modules)))')
    assert done.stdout == 'torchvision []\n', done.stderr


#: Forks for each job. What they share takes longest to import, and is no host and none of ours.
FORKS = '''
import contextlib, importlib, json, os, runpy, sys, traceback
for name in ("torch", "torchvision", "mmengine.runner", "matplotlib.pyplot", "scipy.stats",
             "sklearn.metrics", "skimage", "imgaug"):
    with contextlib.suppress(ImportError):
        importlib.import_module(name)
assert not [name for name in sys.modules if name.startswith(("mmcv", "auglocal"))]

for name, words in json.load(open("jobs.json")).items():
    if child := os.fork():
        open(f"{name}.status", "w").write(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))
        continue
    for stream, kind in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(f"{name}.{kind}", os.O_WRONLY | os.O_CREAT), stream)
    status = 1
    try:
        if len(words) == 1:
            exec(words[0], {"__name__": "__main__"})
        else:
            sys.argv = words[1:]
            runpy.run_module(words[1], run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as left:
        status = left.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
'''


@pytest.fixture(scope='module')
def forked(root, tmp_path_factory):
    """Return a function that says how a job of `JOBS` ended, beside an mmcv without operators."""
    folder = tmp_path_factory.mktemp('forks')
    (folder / 'jobs.json').write_text(json.dumps(JOBS))
    (folder / 'config.py').write_text(
        "custom_imports = dict(imports=['auglocal_mm'], allow_failed_imports=False)\n")
    subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', FORKS], cwd=folder, check=True, timeout=300,
        env={'PATH': '/usr/bin:/bin', 'PYTHONPATH': f'{link_mmcv(folder)}:{root}',
             'HOME': str(folder), 'OMP_NUM_THREADS': '1'})

    def ended(name):
        status, stdout, stderr = ((folder / f'{name}.{kind}').read_text()
                                  for kind in ('status', 'stdout', 'stderr'))
        return subprocess.CompletedProcess(JOBS[name], int(status), stdout, stderr)
    return ended


def test_without_this_package_the_hosts_operators_are_missing(forked):
    """Which is why it exists; should mmcv ever bring its own, this room can go."""
    assert "No module named 'mmcv._ext'" in forked('without').stderr


def test_a_detector_of_a_config_trains_without_compiled_operators(forked):
    """As in mmdet's tools/train.py: first the config, which imports this package, then the models.

    A reload changes nothing: notebooks reload modules, while mmcv keeps the operators it has.
    """
    done = forked('train')
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ['torchvision True trained', 'torchvision 0']


TRAIN = '''
from mmengine.config import Config
Config.fromfile("config.py")
import mmcv.ops
import importlib, sys
import torch
from mmcv.utils.ext_loader import check_ops_exist
from mmengine.structures import InstanceData
from mmdet.models import TwoStageDetector
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.utils import register_all_modules
from mmdet.structures.mask import BitmapMasks
import numpy as np
register_all_modules()
torch.manual_seed(0)
from mmengine.utils import get_installed_path
configs = get_installed_path("mmdet") + "/.mim/configs/_base_"
cfg = Config.fromfile(configs + "/models/mask-rcnn_r50_fpn.py").model
cfg.backbone.update(depth=18, base_channels=8, init_cfg=None, frozen_stages=-1)
cfg.neck.update(in_channels=[8, 16, 32, 64], out_channels=16)
cfg.rpn_head.update(in_channels=16, feat_channels=16)
for name in ("bbox", "mask"):
    cfg.roi_head[f"{name}_roi_extractor"].out_channels = 16
cfg.roi_head.bbox_head.update(in_channels=16, fc_out_channels=32, num_classes=3)
cfg.roi_head.mask_head.update(in_channels=16, conv_out_channels=16, num_classes=3)
model = MODELS.build(cfg)
sample = DetDataSample(metainfo=dict(img_shape=(64, 64), pad_shape=(64, 64), ori_shape=(64, 64),
                                     batch_input_shape=(64, 64), scale_factor=(1.0, 1.0)))
sample.gt_instances = InstanceData(
    bboxes=torch.tensor([[4.0, 4, 40, 40]]), labels=torch.tensor([1]),
    masks=BitmapMasks(np.ones((1, 64, 64), np.uint8), 64, 64))
losses = model.loss(torch.rand(1, 3, 64, 64), [sample])
total = sum(value if torch.is_tensor(value) else sum(value)
            for name, value in losses.items() if "loss" in name)
total.backward()
missing = [name for name, each in model.named_parameters() if each.grad is None]
assert not missing, missing
model.eval()
assert len(model.predict(torch.rand(1, 3, 64, 64), [sample])) == 1
import auglocal_mm.operators.stand_in as it
print(it.in_use(), check_ops_exist(), "trained")
before = len(sys.meta_path)
importlib.reload(it).install()
print(it.in_use(), len(sys.meta_path) - before)
'''
AFTER = '''
import mmpretrain.models, auglocal_mm
from mmcv.ops import batched_nms, roi_align
from mmdet.models.dense_heads import rpn_head
from mmdet.structures.mask import structures
print(rpn_head.batched_nms is batched_nms, structures.roi_align is roi_align)
'''
#: Code, or the words of a command without the interpreter.
JOBS = {
    'without': ['import mmcv.ops'],
    'train': [TRAIN],
    'script': ['-m', 'auglocal_mm.operators',
               str(Path(get_installed_path('mmdet'), '.mim', 'tools', 'test.py')), '--help'],
    'after': [AFTER],
}


def test_a_compiled_operator_is_never_shadowed(run):
    done = run('import auglocal_mm\nfrom auglocal_mm.operators import in_use\n'
               'print(in_use())\nimport mmcv._ext\nprint(in_use(), mmcv._ext.nms)',
               extension='nms = "the compiled one"')
    assert done.stdout == 'compiled\ncompiled the compiled one\n', done.stderr


def test_compiled_operators_that_do_not_load_stay_an_error(run):
    done = run('import auglocal_mm, mmcv._ext',
               extension='raise ImportError("undefined symbol: _ZN5torch")')
    assert done.stderr.splitlines()[-1] == 'ImportError: undefined symbol: _ZN5torch'


def test_a_script_that_imports_the_host_at_once(forked):
    """mmdet's own test script, which no config can reach in time."""
    done = forked('script')
    assert done.returncode == 0, done.stderr
    assert 'usage: test.py' in done.stdout


def test_it_may_be_imported_after_a_host(forked):
    """The maintained mmdet replaces operators that it cannot import; mmpretrain imports mmdet."""
    done = forked('after')
    assert done.stdout.splitlines()[-1] == 'True True', done.stderr


def test_a_script_sees_its_own_arguments_and_folder(run, tmp_path):
    folder = tmp_path / 'scripts'
    folder.mkdir()
    (folder / 'beside.py').write_text('word = "beside"\n')
    (folder / 'script.py').write_text(
        'import sys, beside\nprint(__name__, sys.argv[1:], beside.word)\n')
    done = run('-m', 'auglocal_mm.operators', 'scripts/script.py', '--help', 'x')
    assert done.stdout == "__main__ ['--help', 'x'] beside\n", done.stderr
    refused = run('-m', 'auglocal_mm.operators', 'nowhere.py')
    assert refused.returncode == 1
    assert 'no script at nowhere.py' in refused.stderr


def test_another_operator_raises_when_it_is_called():
    with pytest.raises(MissingOperatorError) as raised:
        missing_operator('roi_align_rotated_forward')(1, pooled_height=2)
    said = str(raised.value)
    assert 'roi_align_rotated_forward (RoIAlign of rotated boxes)' in said
    assert 'no compiled operators' in said
    assert 'make operators' in said
    assert 'MMCV_WITH_OPS=1 pip install' in said
    assert isinstance(raised.value, NotImplementedError)


def test_every_operator_of_mmcv_has_a_stand_in_or_a_purpose():
    """A new one in a later mmcv raises, too, but its message would say less."""
    import re

    import mmcv.ops
    asked = set()
    for path in Path(mmcv.ops.__file__).parent.glob('*.py'):
        for names in re.findall(r"load_ext\(\s*'_ext',\s*\[(.*?)\]", path.read_text(), re.DOTALL):
            asked |= set(re.findall(r"'(\w+)'", names))
    assert len(asked) > 90
    unknown = [name for name in asked if not hasattr(STAND_INS, name)
               and purpose_of(name) == 'an operator of mmcv.ops']
    assert not unknown
    unused = [start for start in PURPOSES if not any(name.startswith(start) for name in asked)]
    assert set(unused) <= {'line_nms'}  # which mmcv 2.1.0 does not have


@pytest.mark.parametrize('name', ['__path__', '__wrapped__', '_private'])
def test_names_that_are_no_operators_are_absent(name):
    """Otherwise Python's own machinery would take the module for what it is not."""
    with pytest.raises(AttributeError, match=name):
        missing_operator(name)
