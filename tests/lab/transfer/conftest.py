"""What the tests of transfer share: a small data set, and runs as the tools leave them."""
import json
from types import SimpleNamespace

import pytest
from transfer_set import make_backbone, make_detector, make_set

from auglocal_mm.files import read_json, write_json
from auglocal_mm.lab.transfer.backbones import Backbone
from auglocal_mm.lab.transfer.detector import read_detector
from auglocal_mm.lab.transfer.plan import plan_runs
from auglocal_mm.lab.transfer.score import scores_of
from auglocal_mm.lab.transfer.validation_set import read_validation_set


@pytest.fixture(scope='session')
def made(tmp_path_factory):
    """A folder with the set, the detector's config and two backbones."""
    folder = tmp_path_factory.mktemp('transfer')
    make_set(folder)
    make_detector(folder)
    for seed, name in enumerate('ab'):
        make_backbone(folder / name / 'backbone.pth', seed=seed)
    return folder


@pytest.fixture
def here(made, monkeypatch):
    """That folder as the current one; nothing is written there."""
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def planned(here, tmp_path, root):
    """Two backbones with two seeds each, planned for an empty folder."""
    backbones = [Backbone('BP', here / 'a/backbone.pth'), Backbone('<b>', here / 'b/backbone.pth')]
    detector = read_detector('retinanet.py', (), frozen=False)
    validation = read_validation_set(detector)
    runs = plan_runs(backbones, detector, validation, seeds=2, root=root, work_dir=tmp_path)
    return SimpleNamespace(backbones=backbones, detector=detector, validation=validation,
                           runs=runs, folder=tmp_path)


def finish(run, *, shift):
    """Leave a run as the tools would: its logs, checkpoint, predictions and scores.

    Every object is found, `shift` pixels off, and one more that is none.
    """
    run.begin()
    training, predict, score = run.steps
    logs = training.work_dir / '20260101_000000/vis_data'
    logs.mkdir(parents=True)
    rows = [row for epoch in (1, 2) for row in (
        {'loss': 2.0 / epoch, 'lr': 0.1, 'step': 10 * epoch, 'epoch': epoch},
        {'coco/bbox_mAP': 0.1 * epoch, 'coco/bbox_mAP_s': -1.0, 'step': epoch})]
    (logs / 'scalars.json').write_text(''.join(json.dumps(row) + '\n' for row in rows))
    training.checkpoint.touch()
    truth = read_json(score.validation.annotations)
    found = [{'image_id': each['image_id'], 'category_id': each['category_id'], 'score': 0.9,
              'bbox': [each['bbox'][0] + shift, *each['bbox'][1:]]}
             for each in truth['annotations']]
    found.append({**found[0], 'bbox': [90.0, 90.0, 4.0, 4.0], 'score': 0.95})
    write_json(found, run.folder / 'predictions.bbox.json')
    write_json(scores_of(truth, {'bbox': found}, score.validation.classes), score.file)
    for step in (training, predict, score):
        run.add_seconds(step, 60.0)


@pytest.fixture
def finished(planned):
    """All of these runs but the last, which was never started."""
    for run, shift in zip(planned.runs[:3], (0.0, 4.0, 2.0), strict=True):
        finish(run, shift=shift)
    return planned
