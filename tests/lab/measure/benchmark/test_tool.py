"""The tool as a user calls it: one run of small networks, and faults."""
import json
import multiprocessing
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


@pytest.mark.parametrize('start', ['fork', pytest.param('spawn', marks=pytest.mark.slow)])
def test_small_networks(tool, root, tmp_path, monkeypatch, start):
    # A spawned worker imports OpenMMLab, which takes longer than all the rest. A fork has it.
    import mmpretrain.datasets
    import mmpretrain.models  # noqa: F401
    context = multiprocessing.get_context(start)
    monkeypatch.setattr('multiprocessing.get_context', lambda kind: context)
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
    assert local['params'] > bp['params'] and local['flops'] > bp['flops']
    assert local['memory_ratio'] < 0.6


@pytest.mark.parametrize('apart', [[], ['--apart']])
def test_one_that_dies(tool, tmp_path, monkeypatch, apart):
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
        'table.md', 'table.json', 'memory_time.png', 'memory_time.svg'}
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


def test_every_preset_is_offered(tool):
    _, _, err = tool('--preset', 'none')
    assert all(preset in err for preset in PRESETS)
