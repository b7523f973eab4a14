"""The main job as a user types it, on data that is made here.

ImageNet ResNet-34 at 224x224 with all 17 modules: train, validate, checkpoint,
kill, resume, export; the COCO Mask R-CNN config on that backbone: train,
evaluate. All through the tools, from another folder than the repository. Networks of full
width are slow: writing a gigabyte of their weights takes longer than training them.
"""
import json
import os
import re
import signal
import time

import pytest
import torch
from made_data import make_coco, make_imagenet
from tool_runs import ROOT, run, run_forked, start_forked

AUGLOCAL = 'configs/auglocal/resnet34_imagenet.py'
MASK_RCNN = 'configs/mask_rcnn/mask-rcnn_r34_auglocal_fpn_adamw_1x_coco.py'
SMALL = ['train_dataloader.batch_size=2', 'train_dataloader.num_workers=2',
         'train_dataloader.dataset.indices=[0,1,4,5]', 'val_dataloader.batch_size=4',
         'val_dataloader.num_workers=0', 'randomness.seed=1',
         'default_hooks.logger.interval=1', 'optim_wrapper.optimizer.lr=0.01']
#: As deep and with images as large, but 64 times fewer weights.
SLIM = ['model.backbone.base_channels=8', 'model.backbone.stem_channels=8',
        'model.head.in_channels=64', 'train_cfg.max_epochs=2']


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('main_job')
    make_imagenet(folder)
    make_coco(folder)
    return folder


def whole_run(folder, work_dir, *options):
    said = run('tools/train.py', ROOT / AUGLOCAL, '--work-dir', work_dir, '--cfg-options', *SMALL,
               *options, 'train_cfg.max_epochs=1', 'train_dataloader.dataset.indices=[0,4]',
               folder=folder)
    return folder / work_dir, said


@pytest.fixture(scope='module')
def slim(folder):
    return whole_run(folder, 'slim', *SLIM)


@pytest.fixture(scope='module')
def full(folder):
    return whole_run(folder, 'whole')


def state(path):
    return torch.load(path, map_location='cpu', weights_only=False)['state_dict']


@pytest.mark.parametrize(('size', 'features'), [
    ('slim', 64), pytest.param('full', 512, marks=pytest.mark.slow)])
def test_the_imagenet_config_trains_and_validates(size, features, request):
    work_dir, said = request.getfixturevalue(size)
    assert '17 units in 17 local modules' in said
    assert len(re.findall(r'Epoch\(val\) \[\d\]\[1/1\] +accuracy/top1: ', said)) == 1
    assert 'layer4.2' in said
    weights = state(work_dir / 'epoch_1.pth')
    assert sum(key.endswith('fc.weight') for key in weights) == 17
    assert weights['head.fc.weight'].shape == (1000, features)
    assert all(torch.isfinite(value).all() for value in weights.values())
    warnings = [line for line in said.splitlines() if 'warning' in line.lower()]
    assert all('no valid file' in line for line in warnings), warnings


def test_a_killed_run_resumes_to_the_same_weights(folder, tmp_path):
    def words(work_dir, *more):
        return ['tools/train.py', ROOT / AUGLOCAL, '--work-dir', tmp_path / work_dir, *more,
                '--cfg-options', *SMALL, *SLIM]
    run_forked(*words('whole'), folder=folder)
    killed = tmp_path / 'killed'
    with (tmp_path / 'said').open('w') as said:
        process = start_forked(*words('killed'), folder=folder, output=said.fileno())
        deadline, ended = time.monotonic() + 400, 0
        try:
            while not (killed / 'last_checkpoint').exists() and not ended:
                assert time.monotonic() < deadline
                time.sleep(0.005)
                ended, _ = os.waitpid(process, os.WNOHANG)
        finally:
            os.killpg(process, signal.SIGKILL)
            if not ended:
                os.waitpid(process, 0)
    assert not (killed / 'epoch_2.pth').exists(), (tmp_path / 'said').read_text()
    assert 'resumed epoch: 1' in run_forked(*words('killed', '--resume'), folder=folder)
    whole, resumed = state(tmp_path / 'whole/epoch_2.pth'), state(killed / 'epoch_2.pth')
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


@pytest.fixture(scope='module')
def backbone(folder, full):
    out = folder / 'work_dirs' / 'resnet34_imagenet_auglocal' / 'backbone.pth'
    said = run('tools/model_converters/export_backbone.py', full[0] / 'epoch_1.pth', out,
               folder=folder)
    assert re.match(r'\d+ entries of the backbone written to', said)
    return out


DETECTION = ['train_cfg.max_epochs=1', 'train_dataloader.num_workers=0',
             'val_dataloader.num_workers=0', 'default_hooks.logger.interval=1']


@pytest.mark.slow
def test_mask_rcnn_trains_from_the_exported_backbone_and_is_evaluated(folder, backbone):
    said = run('tools/train.py', ROOT / MASK_RCNN, '--work-dir', 'detector', '--cfg-options',
               *DETECTION, folder=folder)
    assert 'bbox_mAP' in said and 'segm_mAP' in said
    trained, exported = state(folder / 'detector' / 'epoch_1.pth'), state(backbone)
    frozen = [key for key in exported if key.startswith(('backbone.conv1', 'backbone.layer1.'))
              and not key.endswith('num_batches_tracked')]
    assert frozen and all(torch.equal(trained[key], exported[key]) for key in frozen)
    said = run('tools/test.py', ROOT / MASK_RCNN, 'detector/epoch_1.pth', '--work-dir', 'tested',
               '--cfg-options', 'test_dataloader.num_workers=0', folder=folder)
    assert 'bbox_mAP' in said


@pytest.mark.slow
def test_the_same_through_two_ranks(folder):
    said = run('tools/dist_train.sh', ROOT / AUGLOCAL, 2, '--work-dir', 'ranks', '--cfg-options',
               *SMALL, 'train_cfg.max_epochs=1', folder=folder)
    assert 'accuracy/top1' in said
    run('tools/model_converters/export_backbone.py', 'ranks/epoch_1.pth',
        'work_dirs/resnet34_imagenet_auglocal/backbone.pth', folder=folder)
    said = run('tools/dist_test.sh', ROOT / AUGLOCAL, 'ranks/epoch_1.pth', 2, '--work-dir',
               'tested', '--cfg-options', 'test_dataloader.num_workers=0', folder=folder)
    assert 'accuracy/top1' in said
    said = run('tools/dist_train.sh', ROOT / MASK_RCNN, 2, '--work-dir', 'detector_ranks',
               '--cfg-options', *DETECTION, folder=folder)
    assert 'bbox_mAP' in said


def test_a_missing_backbone_is_said_before_anything_is_written(tmp_path):
    make_coco(tmp_path)
    said = run_forked('tools/train.py', ROOT / MASK_RCNN, folder=tmp_path, status=2)
    assert said.startswith('error: no checkpoint at work_dirs/resnet34_imagenet_auglocal')
    assert 'Traceback' not in said and not (tmp_path / 'work_dirs').exists()


def test_missing_data_are_said_before_anything_is_written(tmp_path):
    said = run_forked('tools/train.py', ROOT / AUGLOCAL, folder=tmp_path, status=2)
    assert said.startswith('error: data is missing') and 'how to get it' in said
    assert 'Traceback' not in said and not (tmp_path / 'work_dirs').exists()


@pytest.mark.parametrize(('options', 'said'), [
    (['model.local.depth=1'], 'depth must be an integer of at least 2'),
    (['model.local.tau=2'], r'tau must be in \[0, 1\]'),
    (['model.local.modules=18'], 'modules must be at most 17'),
    (['model.local.deep=3'], "unknown key 'deep'"),
])
def test_impossible_settings_end_in_one_readable_line(options, said, tmp_path):
    shown = run_forked('tools/analysis_tools/show_plan.py', ROOT / AUGLOCAL, '--cfg-options',
                       *options, folder=tmp_path, status=2)
    assert re.search(said, shown) and 'Traceback' not in shown


def test_show_plan_prints_json(tmp_path):
    said = run_forked(
        'tools/analysis_tools/show_plan.py', ROOT / 'configs/auglocal/resnet32_cifar10.py',
        '--json', '--cfg-options', 'model.local.depth=2', folder=tmp_path)
    plan = json.loads(said[said.index('{'):])
    assert (plan['units'], plan['modules'], len(plan['layers'])) == (16, 15, 16)
    assert all(layer['auxiliary']['batch_norm_before_fc'] for layer in plan['layers'][:14])
