"""What the tests of transfer share: a small data set, and runs as the tools leave them."""
from types import SimpleNamespace

import pytest
from transfer_set import finish, make_backbone, make_detector, make_set

from auglocal_mm.lab.transfer.backbones import Backbone
from auglocal_mm.lab.transfer.detector import read_detector
from auglocal_mm.lab.transfer.plan import plan_runs
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


@pytest.fixture
def finished(planned):
    """All of these runs but the last, which was never started."""
    for run, shift in zip(planned.runs[:3], (0.0, 4.0, 2.0), strict=True):
        finish(run, shift=shift)
    return planned
