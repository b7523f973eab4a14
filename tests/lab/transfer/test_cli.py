"""The command line: everything is refused at the door or planned, and run only if it is missing."""
import json

import pytest
from transfer_set import DETECTOR

from auglocal_mm.checkpoints import CheckpointError
from auglocal_mm.lab.transfer import cli

BACKBONES = ['one=a/backbone.pth', 'two=b/backbone.pth', '--detector', 'retinanet.py']


@pytest.fixture
def started(monkeypatch):
    """The runs that would have been started, as if all of them had failed at once."""
    runs = []
    monkeypatch.setattr(cli, 'drive', lambda found, text, **_: runs.extend(found) or True)
    return runs


def test_runs_and_report_go_to_the_work_dir(here, root, tmp_path, started, capsys):
    words = [*BACKBONES, '--seeds', '2', '--work-dir', str(tmp_path)]
    assert cli.main(words, root=root) == cli.EXIT_FAILED
    assert [run.label for run in started] == ['one · seed 0', 'two · seed 0', 'one · seed 1',
                                              'two · seed 1']
    assert cli.main([*words, '--only-report'], root=root) == 0
    assert len(started) == 4
    assert 'retinanet on 2 backbones' in capsys.readouterr().out
    assert json.loads((tmp_path / 'results.json').read_text())['kinds'] == ['bbox']


def test_a_dry_run_shows_commands_and_touches_nothing(here, root, started, capsys):
    before = {*here.rglob('*')}
    assert cli.main([*BACKBONES, '--frozen', '--epochs-scale', '0.5', '--dry-run'], root=root) == 0
    said = capsys.readouterr().out
    assert 'one · seed 0 [missing] in work_dirs/transfer/retinanet_frozen/one/seed0' in said
    # The schedule keeps its shape.
    assert said.count('train_cfg.max_epochs=1 param_scheduler.0.end=1') == 4
    assert 'FrozenBackboneHook' in said
    assert not started
    assert {*here.rglob('*')} == before


@pytest.mark.parametrize(('words', 'error', 'told'), [
    (['--seeds', '0'], ValueError, '--seeds must be at least 1, got 0'),
    (['--epochs-scale', '2'], ValueError, '--epochs-scale must be above 0 and at most 1, got 2'),
    (['--gpus', '99'], ValueError, '--gpus must be 0 to'),
    (['--jobs', '0'], ValueError, '--jobs must be at least 1'),
    (['--detector', 'absent.py'], FileNotFoundError, 'no config at absent.py'),
    (['--cfg-options', 'model.backbone.base_channels=16'], CheckpointError, 'of another shape'),
    (['--cfg-options', 'model.bbox_head.anchors=3'], TypeError, "unexpected .* 'anchors'"),
    (['--work-dir', 'retinanet.py'], ValueError, 'must be a folder, got the file retinanet.py'),
], ids=['seeds', 'scale', 'gpus', 'jobs', 'config', 'architecture', 'head', 'file'])
def test_impossible_requests_are_refused_at_the_door(here, root, tmp_path, started, words, error,
                                                     told):
    with pytest.raises(error, match=told):
        cli.main([*BACKBONES, '--work-dir', str(tmp_path / 'x'), *words], root=root)
    assert not started
    assert not (tmp_path / 'x').exists()


def test_a_schedule_by_iteration_is_not_scaled(here, root, tmp_path):
    path = tmp_path / 'iterations.py'
    path.write_text(DETECTOR + "train_cfg = dict(type='IterBasedTrainLoop', max_iters=9)\n")
    with pytest.raises(ValueError, match='needs a schedule in epochs'):
        cli.main([*BACKBONES[:2], '--detector', str(path), '--epochs-scale', '0.5'], root=root)
