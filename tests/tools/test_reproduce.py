"""tools/reproduce.py as a user types it, on images that are made here."""
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from made_data import make_coco, make_imagenet
from PIL import Image
from tool_runs import run_forked

from auglocal_mm.checkpoints import read_checkpoint
from auglocal_mm.datasets import MissingDataError
from auglocal_mm.lab.reproduction.cli import main

ROOT = Path(__file__).resolve().parents[2]
SHORT = ['--seeds', '1', '--batch-size', '8', '--images-per-class', '2', '--cfg-options',
         'train_dataloader.num_workers=0', 'val_dataloader.num_workers=0']


def start(*words, folder):
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(ROOT)}
    return subprocess.Popen(
        [sys.executable, str(ROOT / 'tools/reproduce.py'), *map(str, words)], cwd=folder,
        env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def run(*words, folder, status=0):
    process = start(*words, folder=folder)
    try:
        said = process.communicate(timeout=400)[0]
    except BaseException:
        process.terminate()  # It stops what it has started.
        process.wait(60)
        raise
    assert process.returncode == status, said[-4000:]
    return said


@pytest.fixture
def images(tmp_path):
    random = np.random.default_rng(0)
    for split, count in (('train', 3), ('test', 1)):
        for label in range(10):
            folder = tmp_path / 'images' / split / str(label)
            folder.mkdir(parents=True)
            for index in range(count):
                pixels = random.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f'{index}.png')
    return tmp_path / 'images'


def test_one_row_from_images_to_table(images, tmp_path, monkeypatch):
    words = ['small', '--data', images, '--only', 'bp', '--epochs-scale', '0.0025', *SHORT]
    said = run_forked('tools/reproduce.py', *words, folder=tmp_path)
    folder = next((tmp_path / 'work_dirs/reproduce').iterdir()) / 'table-small_bp'
    result = json.loads((folder / 'table.json').read_text())
    row, = result['rows']
    scalars = next((folder.parent / 'runs').rglob('scalars.json')).read_text().splitlines()
    assert row['ours']['accuracy/top1']['values'] == [json.loads(scalars[-1])['accuracy/top1']]
    assert (result['scaled'], result['complete']) == (True, True)
    assert 'SCALED DOWN' in said
    assert (folder / 'report.html').is_file()

    # Again: nothing is left to run. With other settings the folder is refused.
    monkeypatch.chdir(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob('*.pth')}
    assert main([*map(str, words)], root=ROOT) == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob('*.pth')} == before
    with pytest.raises(ValueError, match='holds a run with other settings'):
        main([*map(str, words), 'optim_wrapper.optimizer.lr=0.5'], root=ROOT)


def test_a_dry_run_shows_commands_and_touches_nothing(images, tmp_path, monkeypatch, capsys):
    folder = tmp_path / 'here'
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert main(['small', '--data', str(images), '--epochs-scale', '0.01', '--seeds', '1',
                 '--dry-run'], root=ROOT) == 0
    said = capsys.readouterr().out
    assert 'BP · seed 0 [missing]' in said
    assert said.count('train_cfg.max_epochs=4 ') == 8
    assert not any(folder.iterdir())


def test_counted_figures_need_no_data(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(['6', '--only', 'd5-tau1.0', '--dry-run'], root=ROOT) == 0
    assert 'get_complexity.py' in capsys.readouterr().out


@pytest.mark.slow
def test_counted_figures_are_those_of_the_paper(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(['6', '--only', 'd5-tau1.0'], root=ROOT) == 0
    said = capsys.readouterr().out
    assert '| d = 5, τ = 1.0 | 0.79 | 0.79 |' in said
    assert 'SCALED' not in said


@pytest.mark.parametrize(('words', 'message'), [
    (['nine'], "no table 'nine'"),
    (['2', '--only', 'dgl,nobody'], 'table 2 has no row nobody'),
    (['2', '--epochs-scale', '0'], 'epochs scale must be above 0'),
    (['2', '--images-per-class', '5'], 'images per class can be limited only in a folder'),
    (['2', '--gpus', '99'], '--gpus must be 0 to'),
    (['2', '--jobs', '0'], '--jobs must be at least 1, got 0'),
])
def test_impossible_settings_are_refused_at_the_door(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        main(words, root=ROOT)
    assert not any(tmp_path.iterdir())


def test_missing_data_are_said_before_anything_is_started(tmp_path, monkeypatch):
    """Table 7's detector comes last, its data are looked for first."""
    make_imagenet(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingDataError, match='data/coco'):
        main(['7', '--seeds', '1'], root=ROOT)
    assert not (tmp_path / 'work_dirs').exists()


@pytest.mark.slow
def test_an_interrupted_table_continues(images, tmp_path):
    words = ['small', '--data', images, '--only', 'bp,auglocal-d2', '--epochs-scale', '0.0075',
             *SHORT]
    process = start(*words, folder=tmp_path)
    deadline = time.monotonic() + 200
    while not list(tmp_path.rglob('seed0/train/epoch_1.pth')) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 130, said
    assert 'the same command continues' in said

    run(*words, folder=tmp_path)
    folder = next((tmp_path / 'work_dirs/reproduce').iterdir())
    result = json.loads((folder / 'table-small_bp_auglocal-d2/table.json').read_text())
    assert [row['ours']['accuracy/top1']['n'] for row in result['rows']] == [1, 1]
    log = next((folder / 'runs').glob('*_bp/seed0/train.log')).read_text()
    assert 'resumed epoch' in log


@pytest.mark.slow
def test_coco_from_pretraining_to_ap(tmp_path):
    """Table 7 at full image size: both rows, each detector on its own backbone."""
    make_imagenet(tmp_path / 'elsewhere')
    make_coco(tmp_path / 'elsewhere')
    said = run('7', '--data', tmp_path / 'elsewhere/data', '--epochs-scale', '0.005',
               '--seeds', '1', '--batch-size', '4', '--cfg-options',
               'train_dataloader.num_workers=0', 'val_dataloader.num_workers=0', folder=tmp_path)
    folder = next((tmp_path / 'work_dirs/reproduce').iterdir())
    result = json.loads((folder / 'table-7/table.json').read_text())
    assert result['complete'] and 'SCALED DOWN' in said
    for row in result['rows']:
        assert {value['n'] for value in row['ours'].values()} == {1}
        assert set(row['ours']) == {'coco/bbox_mAP', 'coco/segm_mAP'}
        runs = folder / 'runs' / f'resnet34_imagenet_{row["name"]}' / 'seed0'
        exported = read_checkpoint(runs / 'backbone.pth')['state_dict']
        detector = read_checkpoint(runs / 'detector/epoch_1.pth')['state_dict']
        frozen = [key for key in exported if key.startswith('backbone.layer1.')
                  and not key.endswith('num_batches_tracked')]
        assert frozen and all(torch.equal(detector[key], exported[key]) for key in frozen)
