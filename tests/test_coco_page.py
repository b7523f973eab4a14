"""docs/coco.md from its first command to its last, on the digits and the digit scenes.

Slow: `make test-slow ARGS=tests/test_coco_page.py`. The page's commands run as they stand, on one
rank and on a short schedule; configs of the demo stand in under the names that the page uses.
"""
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from pages import blocks, commands
from tool_runs import free_port

METHODS = ('auglocal', 'bp')
#: Epochs of the page -> of this test: 44 steps of the classifier, 120 of the detector.
EPOCHS = {200: 4, 12: 2}
CLASSIFIER = '''
_base_ = '{root}/configs/demo/resnet34-slim_digits_{method}.py'
work_dir = 'work_dirs/resnet34_imagenet_{method}'
train_cfg = dict(max_epochs={epochs})
param_scheduler = [dict(type='CosineAnnealingLR', by_epoch=False, begin=0, end=44, T_max=44)]
'''
DETECTOR = '''
_base_ = '{root}/configs/demo/mask-rcnn_digit-scenes_{method}.py'
custom_imports = dict(imports=['keep_start'])
work_dir = 'work_dirs/mask-rcnn_r34_{method}_fpn_adamw_1x_coco'
model = dict(backbone=dict(init_cfg=dict(
    checkpoint='work_dirs/resnet34_imagenet_{method}/backbone.pth')))
scenes = dict(train=240, val=40)
train_dataloader = dict(dataset=dict(scenes=scenes))
val_dataloader = dict(dataset=dict(scenes=scenes))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs={epochs}, val_interval={epochs})
custom_hooks = [dict(type='KeepStart')]
'''
KEEP_START = '''
import os, torch
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class KeepStart(Hook):
    """Keeps the weights that training starts from."""

    def before_train(self, runner):
        model = getattr(runner.model, 'module', runner.model)
        torch.save(model.state_dict(), os.path.join(runner.work_dir, 'start.pth'))
'''


@pytest.fixture
def folder(root, tmp_path):
    """A folder that looks like a clone: the tools, and the page's configs, which are the demo's."""
    (tmp_path / 'tools').symlink_to(root / 'tools')
    (tmp_path / 'keep_start.py').write_text(KEEP_START)
    for method in METHODS:
        for name, text, epochs in (
                (f'{method}/resnet34_imagenet.py', CLASSIFIER, EPOCHS[200]),
                (f'mask_rcnn/mask-rcnn_r34_{method}_fpn_adamw_1x_coco.py', DETECTOR, EPOCHS[12])):
            assert (root / 'configs' / name).is_file()
            path = tmp_path / 'configs' / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.format(root=root, method=method, epochs=epochs))
    return tmp_path


def scaled_down(text):
    """One rank for 8 GPUs, and the last epoch of a short schedule."""
    for epochs, short in EPOCHS.items():
        text = text.replace(f'epoch_{epochs}.pth', f'epoch_{short}.pth')
    return re.sub(r' 8$', ' 1', text)


def environment(root, folder):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']])
    return {**os.environ, 'PATH': path, 'PYTHON': sys.executable, 'PORT': free_port(),
            'PYTHONPATH': os.pathsep.join([str(root), str(folder)]), 'OMP_NUM_THREADS': '1'}


def run(words, root, folder):
    done = subprocess.run(words, cwd=folder, env=environment(root, folder), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


def state(path):
    content = torch.load(path, map_location='cpu', weights_only=False)
    return content.get('state_dict', content)


def number(name, text):
    return float(re.search(rf'{name}: +(-?[\d.]+)', text).group(1))


@pytest.mark.slow
def test_the_recipe_ends_in_the_ap_of_both_methods(root, folder):
    said = []
    for language, text in blocks('coco.md'):
        if language == 'bash':
            for line in map(scaled_down, commands(text)):
                said.append((line, run(['bash', '-c', line], root, folder)))
        else:
            run([sys.executable, '-c', scaled_down(text)], root, folder)
    assert len(said) == 10
    tested = {line.split()[2]: text for line, text in said if 'dist_test' in line}
    for method in METHODS:
        classifier = f'work_dirs/resnet34_imagenet_{method}/epoch_{EPOCHS[200]}.pth'
        work_dir = f'work_dirs/mask-rcnn_r34_{method}_fpn_adamw_1x_coco'
        detector = f'{work_dir}/epoch_{EPOCHS[12]}.pth'
        trained, start, end = (state(folder / path) for path in (
            classifier, f'{work_dir}/start.pth', detector))
        backbone = [key for key in start if key.startswith('backbone.')]
        assert backbone == [key for key in trained if key.startswith('backbone.')]
        assert all(torch.equal(start[key], trained[key]) for key in backbone)
        assert not torch.equal(end['backbone.conv1.weight'], start['backbone.conv1.weight'])
        top1 = number('accuracy/top1', tested[classifier])
        ap = [number(f'coco/{kind}_mAP', tested[detector]) for kind in ('bbox', 'segm')]
        print(f'{method}: top-1 {top1}, box and mask AP {ap}')
        # The beginning of learning: chance is 10 % of the digits, and an AP of 0.
        assert top1 > 15 and all(0 < value <= 1 for value in ap)
