"""Runs of a comparison: their commands, when they are done, and what must not be mixed."""
from dataclasses import replace

import pytest
from transfer_set import make_backbone

from auglocal_mm.lab.runs.run import OtherRunError
from auglocal_mm.lab.transfer.backbones import Backbone
from auglocal_mm.lab.transfer.detector import read_detector
from auglocal_mm.lab.transfer.plan import plan_runs, require_same_settings


def started(run):
    """Leave a run as an interrupted training does."""
    run.begin()
    run.steps[0].work_dir.mkdir()
    (run.steps[0].work_dir / 'last_checkpoint').write_text('epoch_1.pth')


def planned_again(planned, *options, frozen=False, backbones=None, ranks=1, seeds=2):
    detector = read_detector('retinanet.py', options, frozen=frozen)
    return plan_runs(backbones or planned.backbones, detector, planned.validation, seeds=seeds,
                     root=planned.runs[0].steps[0].root, work_dir=planned.folder, ranks=ranks)


def test_the_first_seed_of_each_backbone_comes_first(planned):
    assert [run.label for run in planned.runs] == [
        'BP · seed 0', '<b> · seed 0', 'BP · seed 1', '<b> · seed 1']
    assert [run.folder for run in planned.runs[:2]] == [
        planned.folder / 'BP/seed0', planned.folder / '<b>/seed0']


def test_a_run_is_ordinary_training_then_predictions_then_scores(planned):
    training, predict, score = planned.runs[2].steps
    command = training.command()
    assert command[1:3] == [f'{training.root}/tools/train.py', 'retinanet.py']
    assert f'model.backbone.init_cfg.checkpoint={planned.backbones[0].file}' in command
    assert 'randomness.seed=1' in command
    assert '--resume' not in command
    assert str(training.checkpoint) in predict.command()
    assert predict.command()[1:3] == ['-m', 'auglocal_mm.lab.transfer.predict']
    assert '--classes=["dog", "cow", "cat"]' in score.command()


def test_a_run_is_resumed_and_done_with_its_last_checkpoint(planned):
    run = planned.runs[0]
    training, predict, score = run.steps
    training.work_dir.mkdir(parents=True)
    assert run.state == 'missing'
    (training.work_dir / 'last_checkpoint').write_text('epoch_1.pth')
    assert (run.state, run.next_step) == ('interrupted', training)
    assert '--resume' in training.command()
    training.checkpoint.touch()
    assert run.next_step is predict
    (run.folder / 'predictions.bbox.json').write_text('[]')
    assert run.next_step is score


def test_several_ranks_get_our_launcher(planned):
    run = planned_again(planned, frozen=True, ranks=4)[0]
    training, predict, _ = run.steps
    assert training.command()[1:5] == ['-m', 'auglocal_mm.console.ranks', '--standalone',
                                       '--nproc_per_node=4']
    # Under torch's data parallel, the frozen parameters would be waited for.
    assert 'find_unused_parameters=True' in training.command()
    assert predict.command()[5:7] == ['--module', 'auglocal_mm.lab.transfer.predict']


@pytest.mark.parametrize(('options', 'changed', 'told'), [
    (('train_cfg.max_epochs=3',), {}, 'train_cfg.max_epochs was 2, now 3'),
    (('model.bbox_head.stacked_convs=2',), {}, 'stacked_convs was 1, now 2'),
    ((), {'frozen': True}, 'frozen_backbone.type was not set, now .auglocal_mm.Froz'),
    ((), {'ranks': 2}, 'ranks was 1, now 2'),
], ids=['schedule', 'model', 'frozen', 'ranks'])
def test_other_settings_are_refused(planned, options, changed, told):
    started(planned.runs[0])
    require_same_settings(planned.runs)
    with pytest.raises(OtherRunError, match=f'BP/seed0 holds a run with other settings: .*{told}'):
        require_same_settings(planned_again(planned, *options, **changed))


def test_what_ended_before_its_first_checkpoint_begins_again_with_any_settings(planned):
    first = planned.runs[0]
    first.begin()
    first.add_seconds(first.steps[0], 5.0)
    first.begin()
    assert first.seconds == 5.0
    other = planned_again(planned, 'train_cfg.max_epochs=3')
    require_same_settings(other)
    other[0].begin()
    assert other[0].seconds == 0.0
    started(other[0])
    with pytest.raises(OtherRunError, match='max_epochs was 3, now 2'):
        require_same_settings(planned.runs)


def test_the_same_backbone_may_lie_elsewhere_and_another_may_not(planned, tmp_path):
    started(planned.runs[0])
    copy = tmp_path / 'copy.pth'
    copy.write_bytes(planned.backbones[0].file.read_bytes())
    require_same_settings(planned_again(planned, backbones=[Backbone('BP', copy)]))
    other = Backbone('BP', make_backbone(copy, seed=9))
    with pytest.raises(OtherRunError, match="content of the backbone's file was another"):
        require_same_settings(planned_again(planned, backbones=[other]))


def test_harmless_settings_may_change(planned):
    started(planned.runs[0])
    require_same_settings(planned_again(
        planned, 'train_dataloader.num_workers=1', 'default_hooks.logger.interval=7',
        'val_dataloader.dataset.data_root=elsewhere/', 'val_evaluator.ann_file=elsewhere/val.json'))


def test_there_must_be_a_run(planned):
    with pytest.raises(ValueError, match='--seeds must be at least 1, got 0'):
        planned_again(planned, seeds=0)
    assert replace(planned.detector, frozen=True).frozen
