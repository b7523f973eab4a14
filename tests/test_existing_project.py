"""Someone else's project turned local, without a line of code: docs/existing_project.md."""
import copy
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from packages import run
from pages import blocks, commands
from tool_runs import free_port

EXAMPLE = 'examples/existing_project'
BY_NAME = '''
_base_ = 'mmpretrain::resnet/resnet34_8xb32_in1k.py'
model = dict(
    type='auglocal_mm.LocalImageClassifier',
    local=dict(type='auglocal_mm.AugLocal', depth=5, tau=0.0, modules=17,
               batch_norm_before_fc=False))
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
model_wrapper_cfg = dict(type='auglocal_mm.LocalDistributedDataParallel')
custom_hooks = [dict(type='auglocal_mm.AuxiliaryHeadHook')]
'''
BY_FRAGMENT = '''
_base_ = ['mmpretrain::resnet/resnet34_8xb32_in1k.py',
          'auglocal_mm::_base_/local/auglocal_imagenet.py']
model = dict(type='auglocal_mm.LocalImageClassifier', local={{_base_.local}})
optim_wrapper = dict(type='auglocal_mm.AugLocalOptimWrapper')
'''

#: Takes the page's steps in one process, where a reader starts many: importing the stack for
#: each would take longer than the steps. What a process leaves behind is forgotten after each.
DRIVER = '''
import gc, json, runpy, sys, types
import mmengine.dataset.base_dataset, mmengine.runner.runner
from mmengine.registry import DefaultScope
from mmengine.utils import ManagerMixin
from yapf.yapflib import yapf_api

# mmengine formats the whole config for every checkpoint, asks compilers for their versions and
# collects garbage for each data set. All that takes longer than training.
yapf_api.FormatCode = lambda text, **options: (text, True)
mmengine.runner.runner.collect_env = dict
mmengine.dataset.base_dataset.gc = types.SimpleNamespace(collect=lambda: None)
gc.disable()

def forget(kind):
    for each in kind.__subclasses__():
        each._instance_dict.clear()
        forget(each)

names = {}
for kind, step in json.load(open(sys.argv[1])):
    forget(ManagerMixin)
    if kind == 'code':
        exec(step, names)
    else:
        sys.argv = step
        runpy.run_path(step[0], run_name='__main__')
'''

#: What must hold when the page's steps have been taken.
CHECK = '''
import auglocal_mm, numpy, torch
from mmengine.config import Config
from mmengine.registry import MODELS
from mmpretrain import get_model

def state(path):
    return torch.load(path, map_location='cpu', weights_only=False)['state_dict']

def without_scope(node):
    """Leave out mmengine's mark on what came from another package's config."""
    if isinstance(node, dict):
        return {key: without_scope(value) for key, value in node.items() if key != '_scope_'}
    return [without_scope(value) for value in node] if isinstance(node, list) else node

def equal(a, b, keys):
    return bool(keys) and all(torch.equal(a[key], b[key]) for key in keys)

config = 'configs/resnet34_wildlife%s.py'
trained = state('work_dirs/resnet34_wildlife_local/epoch_2.pth')
plain = get_model(config % '', pretrained=False)
random = {key: value.clone() for key, value in plain.state_dict().items()}
outcome = plain.load_state_dict(trained, strict=False)
published = state(weights)
exported = state('work_dirs/resnet34_wildlife_local/backbone.pth')
seen = {'package': auglocal_mm.__file__, 'path': sys.path,
        'type': type(plain).__name__,
        'missing': outcome.missing_keys,
        'unexpected': sorted({key.split('.')[0] for key in outcome.unexpected_keys}),
        'published': published.keys() == random.keys() and equal(published, trained, published),
        'untrained': [key for key, value in plain.named_parameters()
                      if torch.equal(value, random[key])],
        'exported': equal(exported, trained, exported)}
for name, source in (('', 'work_dirs/resnet34_wildlife/epoch_2.pth'),
                     ('_local', 'work_dirs/resnet34_wildlife_local/backbone.pth')):
    detector = state(f'work_dirs/mask-rcnn_r34_wildlife{name}/epoch_1.pth')
    frozen = [key for key in detector if key.startswith(('backbone.conv1.', 'backbone.layer1.'))
              and not key.endswith('num_batches_tracked')]
    seen['frozen' + name] = equal(detector, state(source), frozen)
    seen['tuned' + name] = not torch.equal(detector['backbone.layer4.0.conv1.weight'],
                                           state(source)['backbone.layer4.0.conv1.weight'])
scores = [ImageClassificationInferencer(config % name, pretrained=path)(
              'data/photos/val/001.png')[0]['pred_scores']
          for name, path in (('', weights), ('_local', weights),
                             ('', 'work_dirs/resnet34_wildlife_local/epoch_2.pth'),
                             ('_local', 'work_dirs/resnet34_wildlife_local/epoch_2.pth'))]
seen['one answer'] = all(numpy.array_equal(scores[0], other) for other in scores[1:])
loaded = {key: value.cpu() for key, value in detect.model.state_dict().items()}
seen['detector'] = loaded.keys() == detector.keys() and equal(loaded, detector, loaded)
named, fragment = Config.fromfile('by_name.py'), Config.fromfile('by_fragment.py')
fragment.pop('local')
seen['both ways'] = without_scope(named.to_dict()) == without_scope(fragment.to_dict())
modules = state('work_dirs/mask-rcnn_r34_wildlife_modules/epoch_1.pth')
kept = {key: value.cpu() for key, value in plain_detect.model.state_dict().items()}
seen['modules'] = (equal(kept, modules, kept),
                   sorted({key.split('.')[0] for key in modules.keys() - kept.keys()}))
for name in ('averaged', 'bfloat16'):
    cfg = Config.fromfile(config % ('_' + name))
    seen[name] = [cfg.model.type, cfg.optim_wrapper.type]
json.dump(seen, open('seen.json', 'w'))
'''


@pytest.fixture
def project(root, tmp_path):
    """The example, away from the repository."""
    return shutil.copytree(root / EXAMPLE, tmp_path / 'project', ignore=shutil.ignore_patterns(
        '__pycache__', 'data', 'work_dirs'))


def environment(site):
    """An environment that knows the wheel and the stack, and no path to the repository."""
    path = os.pathsep.join([str(site), sysconfig.get_paths()['purelib'], '.'])
    return {**os.environ, 'PYTHONPATH': path, 'OMP_NUM_THREADS': '1'}


def write_configs(page, project):
    """Put the page's configs into the project; the example's own must be there, word for word."""
    for language, text in blocks(page):
        if language == 'python' and text.startswith('# configs/'):
            name, body = text.removeprefix('# ').split('\n', 1)
            path = project / name
            if not path.exists():
                path.write_text(body)
            assert path.read_text().endswith(body), name


def echo(line, site):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
    return subprocess.run(['bash', '-c', line], env={**environment(site), 'PATH': path}, text=True,
                          cwd=site, capture_output=True, check=True).stdout.strip()


def page_steps(page, site):
    """The page's commands and code as steps of the driver; its shell set-up is done here."""
    tools = None
    for language, text in blocks(page):
        if language == 'python' and not text.startswith('# configs/'):
            yield 'code', text
        if language == 'bash':
            for line in commands(text):
                if line.startswith('export TOOLS='):
                    tools = echo(f'{line}; echo $TOOLS', site)
                    assert tools == str(site / 'auglocal_mm' / '.mim' / 'tools')
                if line in ('cd ' + EXAMPLE, 'export PYTHONPATH=.') or '$(' in line:
                    continue
                words = shlex.split(line.replace('$TOOLS', tools))
                assert words[0] == 'python', line
                yield 'script', words[1:]


def test_the_page_from_a_wheel_in_another_folder(root, wheel_site, project):
    """Train, export, detect, publish, infer: with every weight, and none of them random."""
    write_configs('existing_project.md', project)
    (project / 'by_name.py').write_text(BY_NAME)
    (project / 'by_fragment.py').write_text(BY_FRAGMENT)
    steps = [*page_steps('existing_project.md', wheel_site), ('code', 'import json, sys\n' + CHECK)]
    (project / 'steps.json').write_text(json.dumps(steps))
    done = subprocess.run([sys.executable, '-S', '-c', DRIVER, 'steps.json'], cwd=project,
                          env=environment(wheel_site), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    seen = json.loads((project / 'seen.json').read_text())
    assert seen.pop('package').startswith(str(wheel_site))
    assert not [place for place in seen.pop('path') if place.startswith(str(root))
                and 'site-packages' not in place]
    local = ['auglocal_mm.LocalImageClassifier', 'auglocal_mm.AugLocalOptimWrapper']
    assert seen == {
        'type': 'ImageClassifier', 'missing': [], 'unexpected': ['auxiliary'], 'untrained': [],
        'published': True, 'exported': True, 'frozen': True, 'frozen_local': True, 'tuned': True,
        'tuned_local': True, 'one answer': True, 'detector': True, 'both ways': True,
        'modules': [True, ['auxiliary']],
        'averaged': local, 'bfloat16': local}
    said = done.stdout
    assert 'does not cover' not in said and 'randomly initialized' not in said
    # One says that auxiliary networks are missing from the published file: the local config.
    assert said.count('missing keys in source state_dict') == 1
    assert not list(project.rglob('*.partial'))


def test_mmpretrains_resnet34_config_becomes_local(tmp_path):
    (tmp_path / 'mine.py').write_text(BY_NAME)
    cfg = Config.fromfile(tmp_path / 'mine.py')
    assert cfg.default_scope == 'mmpretrain'
    assert cfg.model.head.num_classes == 1000 and cfg.optim_wrapper.optimizer.type == 'SGD'
    model_cfg = copy.deepcopy(cfg.model)
    model_cfg.backbone.base_channels = model_cfg.backbone.stem_channels = 8
    model_cfg.head.in_channels = 64
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(model_cfg)
    assert (model.plan.units, model.plan.modules) == (17, 17)
    assert [len(layer.auxiliary.blocks) for layer in model.plan.layers[:3]] == [4, 4, 4]
    assert torch.isfinite(model(torch.randn(1, 3, 64, 64))).all()


@pytest.mark.slow
def test_other_train_scripts_and_two_ranks(wheel_site, project):
    """mmpretrain's own script trains the local config, and ours does so on two ranks."""
    env = environment(wheel_site)
    write_configs('existing_project.md', project)
    run('tools/make_data.py', cwd=project, env=env)
    config = 'configs/resnet34_wildlife_averaged.py'
    upstream = Path(sysconfig.get_paths()['purelib'], 'mmpretrain', '.mim', 'tools', 'train.py')
    said = run(str(upstream), config, '--no-persistent-workers', cwd=project, env=env)
    assert 'Local plan: 17 units' in said and 'memory is not saved' not in said
    # mmengine alone would warn and go on from random weights.
    refused = subprocess.run(
        [sys.executable, 'tools/train.py', 'configs/mask-rcnn_r34_wildlife_local.py',
         '--cfg-options', 'model.backbone.init_cfg.prefix=None', 'model.backbone.init_cfg.'
         'checkpoint=work_dirs/resnet34_wildlife_averaged/epoch_2.pth'], cwd=project, env=env,
        check=False, capture_output=True, text=True)
    assert re.search(r'CheckpointError: .*\(no prefix is set\) does not cover', refused.stderr)
    assert not list((project / 'work_dirs').glob('mask*/*.pth'))
    ranks = subprocess.run(
        ['bash', str(wheel_site / 'auglocal_mm/.mim/tools/dist_train.sh'), config, '2',
         '--work-dir', 'work_dirs/ranks'], cwd=project, check=False, capture_output=True, text=True,
        env={**env, 'PYTHON': sys.executable, 'PORT': free_port()})
    assert ranks.returncode == 0, ranks.stderr[-3000:]
    assert (project / 'work_dirs/ranks/epoch_2.pth').is_file()
