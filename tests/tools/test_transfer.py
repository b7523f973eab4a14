"""tools/transfer.py as a user types it: trained, killed, continued, and frozen."""
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tool_runs import run, run_forked
from transfer_set import make_backbone, make_detector, make_set

from auglocal_mm.checkpoints import read_checkpoint

ROOT = Path(__file__).resolve().parents[2]
WORDS = ['BP=a/backbone.pth', 'other=b/backbone.pth', '--detector', 'retinanet.py', '--jobs', '2']


@pytest.fixture
def folder(tmp_path):
    make_set(tmp_path)
    make_detector(tmp_path)
    for seed, name in enumerate('ab'):
        make_backbone(tmp_path / name / 'backbone.pth', seed=seed)
    return tmp_path


def test_a_fault_is_one_line(tmp_path):
    said = run_forked('tools/transfer.py', 'absent.pth', '--detector', 'absent.py', folder=tmp_path,
               status=2)
    assert said == 'error: no checkpoint at absent.pth; check the path\n'


@pytest.mark.slow
def test_a_killed_comparison_continues(folder):
    process = subprocess.Popen(
        [sys.executable, str(ROOT / 'tools/transfer.py'), *WORDS, '--seeds', '2'], cwd=folder,
        env={**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 200
    while not list(folder.rglob('seed0/train/epoch_1.pth')) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 130, said
    assert 'the same command continues' in said

    said = run('tools/transfer.py', *WORDS, '--seeds', '2', folder=folder)
    place = folder / 'work_dirs/transfer/retinanet'
    result = json.loads((place / 'results.json').read_text())
    assert result['complete']
    for row in result['rows']:
        assert row['kinds']['bbox']['figures']['AP']['n'] == 2
        # No object is small.
        assert row['kinds']['bbox']['figures']['APs'] is None
    assert 'report: work_dirs/transfer/retinanet/report.html' in said
    before = {path: path.stat().st_mtime_ns for path in place.rglob('seed*/**/*')}
    run('tools/transfer.py', *WORDS, '--seeds', '2', folder=folder)
    assert {path: path.stat().st_mtime_ns for path in place.rglob('seed*/**/*')} == before


@pytest.mark.slow
def test_a_frozen_backbone_is_the_exported_one_at_the_end(folder):
    run('tools/transfer.py', *WORDS, '--frozen', '--epochs-scale', '0.5', folder=folder)
    place = folder / 'work_dirs/transfer/retinanet_frozen'
    assert json.loads((place / 'results.json').read_text())['frozen'] is True
    for name, file in (('BP', 'a'), ('other', 'b')):
        exported = read_checkpoint(folder / file / 'backbone.pth')['state_dict']
        trained = read_checkpoint(place / name / 'seed0/train/epoch_1.pth')['state_dict']
        assert all(torch.equal(trained[key], value) for key, value in exported.items())
