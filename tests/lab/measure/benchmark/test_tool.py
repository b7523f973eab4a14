"""The tool as a user calls it: one run of small networks, and faults."""
import json
import runpy
import sys
from pathlib import Path

import bench_subjects
import pytest

from auglocal_mm.lab.measure.benchmark import PRESETS

TOOL = Path(__file__).resolve().parents[4] / 'tools/analysis_tools/benchmark_training.py'

CONFIG = '''
_base_ = {base!r}
model = dict(
    backbone=dict(depth=20, stem_channels=4, base_channels=4), head=dict(in_channels=16),
    local=dict({local}))
'''


@pytest.fixture
def tool(monkeypatch, capfd):
    """Runs the tool as a script; returns its exit status and what it and its children wrote."""
    def run(*words):
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, words)])
        monkeypatch.setattr(sys, 'path', list(sys.path))
        status = 0
        try:
            runpy.run_path(str(TOOL), run_name='__main__')
        except SystemExit as left:
            status = int(left.code or 0)
        return status, *capfd.readouterr()
    return run


def config(folder, rule, root, local=''):
    path = folder / rule / 'small.py'
    path.parent.mkdir()
    path.write_text(CONFIG.format(base=str(root / f'configs/{rule}/resnet32_cifar10.py'),
                                  local=local))
    return path


@pytest.mark.parametrize('start', ['forked', pytest.param('spawned', marks=pytest.mark.slow)])
def test_small_networks(tool, root, tmp_path, request, start):
    if start == 'forked':
        request.getfixturevalue('forked_workers')
    configs = [config(tmp_path, 'auglocal', root, 'depth=2'), config(tmp_path, 'bp', root)]
    status, said, err = tool(*configs, '--batch-size', 4, '--input-size', 16, '--rounds', 2,
                             '--warmup', 1, '--device', 'cpu', '--threads', 1, '--json')
    assert status == 0 and 'Traceback' not in err
    rows = json.loads(said)  # and nothing else on standard output
    assert [row['name'] for row in rows] == ['auglocal/small', 'bp/small']
    local, bp = rows
    assert local['reference'] == bp['reference'] == 'bp/small'
    for row in rows:
        assert row['error'] is None and row['rounds'] == 2 and row['image'] == [3, 16, 16]
        assert row['step_seconds'] > 0 and row['peak_memory_mb'] > row['idle_memory_mb'] > 0
        assert row['time_ratio'] == row['step_seconds'] / bp['step_seconds']
        assert row['memory_ratio'] == row['saved_activations_mb'] / bp['saved_activations_mb']
        assert row['live_peak_ratio'] == row['live_peak_mb'] / bp['live_peak_mb']
        # Nothing that existed before is made, and nothing else is missing.
        parts = row['live_parts_mb']
        assert sum(parts.values()) == pytest.approx(row['live_peak_mb'])
        assert parts['parameters'] == pytest.approx(row['params'] * 4 / 2**20)
        assert parts['optimizer state'] == pytest.approx(parts['parameters'])
        existed = (2 * parts['parameters'] + parts['buffers'] + 4 * 3 * 16 * 16 / 2**20)
        assert row['made_peak_mb'] == pytest.approx(row['live_peak_mb'] - existed)
    assert local['params'] > bp['params'] and local['flops'] > bp['flops']
    assert local['memory_ratio'] < 0.6


@pytest.mark.parametrize('apart', [[], ['--apart']])
def test_one_that_dies(forked_workers, tool, tmp_path, monkeypatch, apart):
    monkeypatch.setattr('auglocal_mm.lab.measure.benchmark.run.training_subject',
                        bench_subjects.by_name)
    out = tmp_path / 'new' / 'out'
    status, said, err = tool('--preset', 'table2', '--only', 'auglocal-d2,bp,dgl', '--json',
                             '--rounds', 3, '--device', 'cpu', '--out', out, *apart)
    assert status == 1 and 'dgl drops out: its process was ended by SIGKILL' in err
    rows = json.loads(said)
    assert [(row['name'], row['time_ratio'], row['reference']) for row in rows] == [
        ('bp', 1, 'bp'), ('dgl', None, 'bp'), ('auglocal-d2', 1, 'bp')]
    assert json.loads((out / 'table.json').read_text()) == rows
    assert {path.name for path in out.iterdir()} == {
        'table.md', 'table.json', 'memory_time.png', 'memory_time.svg', 'memory_parts.png',
        'memory_parts.svg'}
    assert 'dgl: no figures, its process' in (out / 'table.md').read_text()


@pytest.mark.parametrize(('words', 'said'), [
    ([], 'either configs or --preset'),
    (['x.py', '--preset', 'table2'], 'either configs or --preset'),
    (['x.py', '--only', 'bp'], '--only chooses rows of --preset'),
    (['--preset', 'table3'], 'invalid choice'),
    (['--preset', 'table2', '--only', 'bp,auglocal'], 'got auglocal; there are bp, checkpoint'),
    (['absent.py'], 'no config at absent.py'),
    (['--preset', 'table2', '--rounds', '0'], '--rounds must be at least 1, got 0'),
    (['--preset', 'table2', '--device', 'cuda:99'], '--device cuda:99 does not exist'),
    (['--preset', 'table2', '--out', TOOL], '(File exists); choose another'),
    (['--preset', 'table2', '--shape', '8', '8', '8'], 'got 8 8 8')])
def test_faults_are_told_in_a_line(tool, words, said):
    status, out, err = tool(*words)
    assert status == 2 and out == '' and said in err and 'Traceback' not in err


@pytest.mark.parametrize(('words', 'said'), [
    (['--depths', 20], '--depths are counted: give batch sizes by --count'),
    (['--count', 0], 'at least 1 image, got 0'),
    (['--count', 6], 'must be multiples of 4 for bp-accumulate, got 6')])
def test_counts_that_cannot_be_made(tool, words, said):
    status, out, err = tool('--preset', 'table2', '--only', 'bp-accumulate', *words)
    assert status == 2 and out == '' and said in err and 'Traceback' not in err


def test_counting(tool, root, tmp_path):
    configs = [config(tmp_path, 'auglocal', root, 'depth=2'), config(tmp_path, 'bp', root)]
    out = tmp_path / 'out'
    status, said, err = tool(*configs, '--count', 4, 4096, '--shape', 8, '--threads', 1, '--json',
                             '--out', out)
    assert status == 0 and 'Traceback' not in err
    rows = json.loads(said)
    assert [(row['depth'], row['name'], row['batch_size']) for row in rows] == [
        (None, name, batch) for name in ('auglocal/small', 'bp/small') for batch in (4, 4096)]
    for local, bp in zip(rows[:2], rows[2:], strict=True):
        assert local['reference'] == 'bp/small' and bp['live_peak_ratio'] == 1
        assert local['live_peak_ratio'] == local['live_peak_mb'] / bp['live_peak_mb']
        assert local['params'] == bp['params'] + local['auxiliary_params']
    # The weights of auxiliary networks count at a small batch.
    assert rows[0]['live_peak_ratio'] > 1 > rows[1]['live_peak_ratio']
    assert json.loads((out / 'memory.json').read_text()) == rows
    assert 'From which batch size on' in (out / 'memory.md').read_text()
    assert {path.name for path in out.iterdir()} == {
        'memory.md', 'memory.json', 'memory_parts.png', 'memory_parts.svg'}


def test_counting_at_depths(tool, root, tmp_path):
    out = tmp_path / 'out'
    status, said, _ = tool(config(tmp_path, 'bp', root), '--count', 4, 8, '--shape', 8, '--json',
                           '--depths', 20, 32, '--threads', 1, '--out', out)
    assert status == 0
    rows = json.loads(said)
    assert [(row['depth'], row['batch_size']) for row in rows] == [
        (20, 4), (20, 8), (32, 4), (32, 8)]
    assert rows[0]['live_peak_mb'] < rows[2]['live_peak_mb']
    assert {row['live_peak_ratio'] for row in rows} == {1}
    assert {path.name for path in out.iterdir()} == {
        'memory.md', 'memory.json', 'memory_depth.png', 'memory_depth.svg'}


def test_detectors_are_not_counted(tool):
    status, _, err = tool('--preset', 'mask-rcnn', '--only', 'bp', '--count', 4)
    assert status == 2 and '--count takes classifiers, got bp, a detector' in err


def test_every_preset_is_offered(tool):
    _, _, err = tool('--preset', 'none')
    assert all(preset in err for preset in PRESETS)
