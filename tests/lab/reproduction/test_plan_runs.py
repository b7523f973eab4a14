"""From a table and settings to commands: what is run, where, on which data."""
import json

import pytest

from auglocal_mm.lab.reproduction.plan_runs import plan_runs
from auglocal_mm.lab.reproduction.settings import Settings
from auglocal_mm.lab.reproduction.tables import TABLES, find_table


def plan(name, root, folder, *, only=None, devices=0, **settings):
    return plan_runs(find_table(name).select(only), Settings(**settings), root=root,
                     runs_dir=folder, devices=devices)


@pytest.mark.parametrize('name', TABLES)
def test_every_row_and_seed_has_a_folder_of_its_own(name, root, tmp_path):
    table = find_table(name)
    runs = plan(name, root, tmp_path, seeds=2)
    rows = [row for row in table.rows if row.same_as is None]
    assert len({run.folder for run in runs}) == len(runs)
    assert len(runs) == len(rows) * (2 if table.trained else 1) + table.benchmarked
    # The first seed of all rows comes before the second of any.
    assert [run.row for run in runs[:len(rows)]] == rows
    assert all(run.state == 'missing' for run in runs)


def test_at_the_papers_settings_a_command_changes_nothing_but_the_seed(root, tmp_path):
    run, = plan('small', root, tmp_path, only=['auglocal-d2'], seeds=1)
    step, = run.steps
    assert step.options == ('model.local.depth=2', 'randomness.seed=0',
                            'train_dataloader.batch_size=1024')
    assert step.epochs == 400
    assert step.command()[1:] == [
        str(root / 'tools/train.py'), str(root / 'configs/auglocal/resnet32_cifar10.py'),
        '--work-dir', str(run.folder / 'train'), '--cfg-options', *step.options]


def test_seeds_differ_in_the_seed_alone(root, tmp_path):
    first, second = plan('small', root, tmp_path, only=['dgl'], seeds=2)
    changed = set(first.steps[0].options) ^ set(second.steps[0].options)
    assert changed == {'randomness.seed=0', 'randomness.seed=1'}


def test_data_elsewhere(root, tmp_path):
    run, = plan('small', root, tmp_path, only=['bp'], seeds=1, data=tmp_path / 'sets')
    assert f'train_dataloader.dataset.data_root={tmp_path}/sets/cifar10' in run.steps[0].options
    assert f'val_dataloader.dataset.data_root={tmp_path}/sets/cifar10' in run.steps[0].options


def test_a_folder_of_images(root, tmp_path):
    (tmp_path / 'images/train/cat').mkdir(parents=True)
    (tmp_path / 'images/train/cat/0.png').touch()
    run, = plan('small', root, tmp_path, only=['bp'], seeds=1, data=tmp_path / 'images',
                images_per_class=7)
    assert run.steps[0].arguments == ('--image-folder', str(tmp_path / 'images'))
    assert 'train_dataloader.dataset.images_per_class=7' in run.steps[0].options
    with pytest.raises(ValueError, match='has no train/<class>/'):
        plan('small', root, tmp_path, seeds=1, images_per_class=7)


def test_coco_is_pretraining_export_and_detector_on_all_devices(root, tmp_path):
    run, = plan('7', root, tmp_path, only=['auglocal'], seeds=1, devices=4)
    train, export, detector = run.steps
    assert [step.name for step in run.steps] == ['train', 'export', 'detector']
    for step, config, images in ((train, 'auglocal/resnet34_imagenet', 1024 // 4),
                                 (detector, 'mask_rcnn/mask-rcnn_r34_auglocal_fpn_adamw_1x_coco',
                                  16 // 4)):
        command = step.command()
        assert '--nproc_per_node=4' in command
        assert str(root / f'configs/{config}.py') in command
        assert command[command.index('--launcher') + 1] == 'pytorch'
        assert f'train_dataloader.batch_size={images}' in command
    assert export.command()[2:] == [str(train.work_dir / 'epoch_200.pth'), str(export.out)]
    assert f'model.backbone.init_cfg.checkpoint={export.out}' in detector.options
    assert detector.epochs == 12


def test_a_shorter_coco_run_keeps_the_detectors_batch(root, tmp_path):
    run, = plan('7', root, tmp_path, only=['bp'], seeds=1, batch_size=64, epochs_scale=0.5)
    train, _, detector = run.steps
    assert 'train_dataloader.batch_size=64' in train.options
    assert 'train_dataloader.batch_size=16' in detector.options
    assert (train.epochs, detector.epochs) == (100, 6)


def test_memory_and_time_come_last_and_alone(root, tmp_path):
    runs = plan('2', root, tmp_path, only=['bp', 'checkpoint', 'dgl'], seeds=1, batch_size=8)
    assert [run.alone for run in runs] == [False, False, True]
    step, = runs[-1].steps
    command = step.command()
    assert command[command.index('--only') + 1] == 'bp,checkpoint,dgl'
    assert command[command.index('--batch-size') + 1] == '8'
    assert step.measured_of('dgl') == {}
    step.folder.mkdir(parents=True)
    row = {'name': 'dgl', 'time_ratio': 1.75, 'memory_ratio': 0.2, 'peak_ratio': 0.4,
           'error': None, 'reference': 'bp', 'batch_size': 8}
    for device, memory in (('cpu', 0.2), ('cuda', 0.4)):
        write = (step.folder / 'table.json').write_text
        fallen = {'name': 'bp', 'error': 'out of memory'}
        write(json.dumps([fallen, {**row, 'device': device}]))
        assert step.measured_of('dgl') == {'memory_ratio': memory, 'time_overhead': 0.75}
        assert step.measured_of('bp') == {}
        assert step.conditions == f'batch 8 on {device}'
        # A row fell out: measured again. Relative to another row: not shown as BP's share.
        assert not step.done()
        write(json.dumps([{**row, 'device': device, 'reference': 'dgl'}]))
        assert step.measured_of('dgl') == {}
        write(json.dumps([{**row, 'device': device, 'name': name} for name in step.rows]))
        assert step.done()


def test_without_bp_nothing_is_measured_beside_it(root, tmp_path):
    assert not any(run.alone for run in plan('2', root, tmp_path, only=['dgl'], seeds=1))


def test_settings_of_the_model_reach_the_counts(root, tmp_path):
    run, _ = plan('2', root, tmp_path, only=['bp'], seeds=1, extra=('model.head.topk=(1,)',
                                                                    'log_level=INFO'))
    assert run.steps[0].options == ('model.head.topk=(1,)',)


def test_coco_elsewhere_is_evaluated_there(root, tmp_path):
    run, = plan('7', root, tmp_path, only=['bp'], seeds=1, data=tmp_path / 'sets')
    assert (f'val_evaluator.ann_file={tmp_path}/sets/coco/annotations/instances_val2017.json'
            in run.steps[-1].options)
    assert not any('ann_file' in option for option in run.steps[0].options)
