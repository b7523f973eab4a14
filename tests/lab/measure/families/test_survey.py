"""Families end to end, each in a child process, and what is said of those that fail."""
import json
import math
import multiprocessing
import re
import runpy
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from auglocal_mm.lab.measure.families import FAMILIES, Family, choose, survey
from auglocal_mm.operators import in_use

TOOL = Path(__file__).resolve().parents[4] / 'tools/analysis_tools/detector_families.py'
STAGES = ('build', 'train', 'predict')
#: A detector that fails where it is told to.
FAKE = '''
import faulthandler
import os
import time

import torch
from mmdet.registry import MODELS
from mmengine.model import BaseModel


@MODELS.register_module(force=True)
class Fake(BaseModel):
    def __init__(self, fails, data_preprocessor=None):
        super().__init__(data_preprocessor)
        if fails == 'build':
            raise ValueError('no such backbone\\nand more of it')
        self.fails = fails
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, *args, **kwargs):
        if self.fails == 'crash':
            faulthandler.disable()
            os.abort()
        if self.fails == 'stand':
            time.sleep(600)
        assert self.fails != 'assert'
        raise RuntimeError('no forward pass')
'''


@pytest.fixture(scope='module')
def fakes(tmp_path_factory):
    """Families by the way they fail."""
    folder = tmp_path_factory.mktemp('families')
    (folder / 'fake_detector.py').write_text(FAKE)
    made = {'absent': Family('absent', 'no/such/config.py')}
    for fails in ('build', 'train', 'assert', 'crash', 'stand'):
        path = folder / f'{fails}.py'
        path.write_text("custom_imports = dict(imports=['fake_detector'])\n"
                        f"model = dict(type='mmdet.Fake', fails={fails!r})\n")
        made[fails] = Family(fails, str(path))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield made


@pytest.fixture(autouse=True)
def _fork(request, monkeypatch):
    """Trials start as forks of this process: a server of forks would import OpenMMLab again."""
    if 'slow' not in request.keywords:
        import mmdet.models  # noqa: F401

        context = multiprocessing.get_context('fork')
        monkeypatch.setattr(context, 'set_forkserver_preload', lambda names: None, raising=False)
        monkeypatch.setattr('multiprocessing.get_context', lambda kind: context)
        # A fork of a pool's thread would wait for that thread when it ends.
        monkeypatch.setattr(sys.modules[survey.__module__], 'ThreadPoolExecutor',
                            lambda jobs: nullcontext(SimpleNamespace(map=map)))


def by_name(found):
    return {row['name']: row for row in found['families']}


def passed(row):
    return [stage for stage in STAGES if row['causes'].get(stage) == '']


def test_failures_keep_their_cause_and_harm_nobody_else(fakes):
    names = ['absent', 'build', 'train', 'assert', 'crash']
    results = [found for _, found in survey([fakes[name] for name in names])]
    assert [len(result['families']) for result in results] == [1, 2, 3, 4, 5]
    rows = by_name(results[-1])
    assert list(rows) == names
    assert rows['build']['causes'] == {'build': 'ValueError: no such backbone'}
    assert rows['train']['causes'] == {'build': '', 'train': 'RuntimeError: no forward pass',
                                       'predict': 'RuntimeError: no forward pass'}
    assert re.fullmatch(r"AssertionError: assert self.fails != 'assert' "
                        r'\(fake_detector.py, line \d+\)', rows['assert']['causes']['train'])
    assert rows['absent']['causes']['build'].startswith('FileNotFoundError: ')
    assert rows['crash']['causes'] == {'build': '', 'train': 'the process ended with signal 6'}


@pytest.mark.slow
def test_trials_that_a_server_forks(fakes):
    [(row, _)] = survey([fakes['train']])
    assert row['causes'] == {'build': '', 'train': 'RuntimeError: no forward pass',
                             'predict': 'RuntimeError: no forward pass'}


def test_a_family_that_stands_still_is_ended(fakes):
    [(row, _)] = survey([fakes['stand']], limit=0.5)
    assert list(row['causes'].values())[-1] == 'ended after 0.5 s'


def test_what_is_known_is_kept_and_not_tried_again(fakes):
    """Not even started: the row says what no trial of it could."""
    [(row, first)] = survey([fakes['absent']])
    row['causes'] = {'build': '', 'train': '', 'predict': ''}
    other = {**row, 'name': 'other'}
    first['families'] = [other, row]
    [(again, found)] = survey([fakes['absent']], known=first)
    assert again == row
    assert found['families'] == [row, other]
    with pytest.raises(ValueError, match="operators made up.*start again with another file"):
        next(survey([fakes['absent']], known={**first, 'operators': 'made up'}))


@pytest.mark.parametrize('settings', [{'jobs': 0}, {'limit': 0.0}])
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValueError, match=r'must be positive, got .*\b0'):
        next(survey([], **settings))


def test_names_are_chosen_in_any_case_and_unknown_ones_listed():
    assert [family.name for family in choose(FAMILIES, ['ssd', 'FASTER R-CNN'])] == [
        'SSD', 'Faster R-CNN']
    assert choose(FAMILIES, []) == list(FAMILIES)
    with pytest.raises(ValueError, match='no such family: Fastest R-CNN; must be of: .*FCOS'):
        choose(FAMILIES, ['Fastest R-CNN', 'fcos'])


@pytest.mark.parametrize('family', FAMILIES[::7], ids=lambda family: family.name)
def test_a_family_survives_json(family):
    assert Family.from_dict(json.loads(json.dumps(family.to_dict()))) == family


def test_the_tool_on_two_families(monkeypatch, capfd, tmp_path):
    out = tmp_path / 'found.json'
    monkeypatch.setattr(sys, 'argv', [str(TOOL), '--family', 'Faster R-CNN', 'YOLOX',
                                      '--out', str(out)])
    monkeypatch.setattr(sys, 'path', list(sys.path))
    runpy.run_path(str(TOOL), run_name='__main__')
    said, err = capfd.readouterr()
    found = json.loads(out.read_text())
    assert found['operators'] == in_use()
    rows = by_name(found)
    for name, operators in {'Faster R-CNN': {'nms', 'roi_align_forward', 'roi_align_backward'},
                            'YOLOX': {'nms'}}.items():
        row = rows[name]
        assert passed(row) == list(STAGES), row['causes']
        assert set(row['operators']) == operators
        assert row['predictions'] > 0 and row['seconds'] > 0
        first, second = (step['loss'] for step in row['losses'])
        assert math.isfinite(first) and first != second
        assert re.search(rf'^\| {name} +\| ', said, flags=re.MULTILINE)
        assert f'{name}: passes' in err
    assert said.startswith('In use: ')


def test_the_tool_trains_a_backbone_locally(monkeypatch, capfd, tmp_path):
    out = tmp_path / 'found.json'
    monkeypatch.setattr(sys, 'argv', [str(TOOL), '--local', '--family', 'YOLOX', 'HRNet',
                                      '--out', str(out)])
    monkeypatch.setattr(sys, 'path', list(sys.path))
    runpy.run_path(str(TOOL), run_name='__main__')
    said, err = capfd.readouterr()
    rows = by_name(json.loads(out.read_text()))
    assert passed(rows['YOLOX']) == list(STAGES), rows['YOLOX']['causes']
    assert rows['YOLOX']['modules'] == 4 and rows['YOLOX']['backbone'] == 'CSPDarknet'
    assert all(step['local_loss'] > 0 for step in rows['YOLOX']['losses'])
    assert rows['YOLOX']['gradients']['auxiliary'] > 0
    assert rows['HRNet']['causes'].keys() == {'build'} and rows['HRNet']['backbone'] == 'HRNet'
    assert 'HRNet: build: TypeError: local learning does not know how to cut HRNet' in err
    assert re.search(r'^\| `CSPDarknet` \| 4 \| 1 \| YOLOX \|$', said, flags=re.MULTILINE)


def test_plain_and_local_results_do_not_mix(fakes):
    [(_, found)] = survey([fakes['absent']], training='local')
    with pytest.raises(ValueError, match='has training local, and here they are plain'):
        next(survey([fakes['absent']], known=found))
    del found['training']  # as in results of older versions, which are plain
    assert list(survey([fakes['absent']], known=found))


def test_local_results_are_compared_with_none(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', [str(TOOL), '--local', '--compare', 'compiled.json'])
    with pytest.raises(SystemExit):
        runpy.run_path(str(TOOL), run_name='__main__')
    assert 'leave out --local' in capsys.readouterr().err
