"""plan_parallel.py: what it counts and measures, and how it refuses."""
import json
import re
import runpy
import sys
from pathlib import Path

import pytest
from parallel_costs import model, module
from small import auglocal, batch, classifier

from auglocal_mm.execution import Carry
from auglocal_mm.files import write_json
from auglocal_mm.lab.parallel.counted import boundary_bytes
from auglocal_mm.models.counted_costs import IMAGES

CONFIG = 'configs/auglocal/resnet32_cifar10.py'
SMALL = ['--batch-size', '4', '--shape', '8', '--cfg-options', 'model.local.modules=2',
         'model.local.depth=2', 'model.backbone.depth=20']


@pytest.fixture
def tool(root, monkeypatch, capsys):
    def run(*arguments):
        path = root / 'tools/analysis_tools/plan_parallel.py'
        monkeypatch.chdir(root)
        monkeypatch.setattr(sys, 'argv', [str(path), *map(str, arguments)])
        monkeypatch.setattr(sys, 'path', list(sys.path))
        try:
            runpy.run_path(str(path), run_name='__main__')
        except SystemExit as end:
            return end.code, *capsys.readouterr()
        return 0, *capsys.readouterr()
    return run


@pytest.fixture
def costs(tmp_path):
    path = tmp_path / 'costs.json'
    write_json(model(*[module(0.1, sent=1e6)] * 3, batch_size=4).to_dict(), path)
    return path


def test_a_carry_has_the_bytes_that_would_be_sent():
    built = classifier(auglocal(3)).train()
    sizes = boundary_bytes(built, (16, 16))
    carry = Carry(features=batch(size=IMAGES, side=16)['inputs'].float())
    for module_index, size in enumerate(sizes):
        carry = built.chain.run(built.backbone, module_index, carry).carry.detach()
        assert sum(each.numel() * each.element_size() for each in carry.pack()[1]) == size


@pytest.fixture
def measured(tmp_path):
    """Return a function that writes what a benchmark measured, with some values changed."""
    def write(**values):
        path = tmp_path / 'measured.json'
        write_json({'config': 'auglocal/resnet32_cifar10.py', 'batch_size': 4, 'ranks': 2,
                    'steps': 30, 'options': {}, 'seconds': {
                        'local, one rank': [0.3, 0.33], 'local pipeline': [0.2, 0.22],
                        'BP GPipe': [0.1, 0.1]}, **values}, path)
        return path
    return write


def test_what_was_measured_stands_beside_what_is_simulated(tool, costs, measured):
    code, out, _ = tool(CONFIG, '--costs', costs, '--workers', '1', '--measured', measured())
    assert code == 0
    # Three equal modules on two workers: the slower one has two of them, and takes 30 steps
    # and the wait for its first batch. One rank with BP was not timed.
    table = out[out.index('Measured on 2 workers'):].split('\n\n')[0].splitlines()
    assert [row.split() for row in table[3:]] == [['local', 'pipeline', '1.50', '1.48', '-2%']]


@pytest.mark.parametrize(('values', 'said'), [
    ({'config': 'dgl/resnet32_cifar10.py'}, 'was measured with dgl/resnet32_cifar10.py, got'),
    ({'batch_size': 8}, 'give --batch-size 8'),
    ({'seconds': {}}, 'holds no measurement'), ({'seconds': [1.0]}, 'holds no measurement'),
    ({'seconds': {'local pipeline': [0.0]}}, 'holds no measurement'),
    ({'seconds': {'local pipeline': ['1']}}, 'holds no measurement'),
    ({'seconds': {'local pipeline': [1.0], 'local, one rank': [1.0, 1.0]}}, 'no measurement'),
    ({'seconds': {'another': [1.0]}}, 'holds no measurement'),
    ({'options': None}, 'holds no measurement'), ({'ranks': 0}, 'holds no measurement'),
    ({'ranks': 1}, 'holds no measurement'), ({'steps': None}, 'holds no measurement'),
], ids=str)
def test_other_measurements_are_refused(tool, costs, measured, values, said):
    code, out, error = tool(CONFIG, '--costs', costs, '--measured', measured(**values))
    assert code == 2 and said in error and 'Traceback' not in error


OPTIONS = {'model.local.modules': 2, 'model.local.depth': 2, 'model.backbone.depth': 20}


@pytest.mark.parametrize(('values', 'said'), [
    ({'batch_size': 8, 'options': OPTIONS}, 'give --batch-size 8'),
    ({'options': {**OPTIONS, 'model.local.depth': 3}},
     'model.local.depth=3 model.backbone.depth=20, got --cfg-options model.local.modules=2'),
    ({'options': {}}, 'with no options of the model, got --cfg-options'),
], ids=str)
def test_other_measurements_are_refused_before_anything_is_timed(tool, measured, monkeypatch,
                                                                 values, said):
    monkeypatch.setattr('auglocal_mm.lab.parallel.measured.measured_costs', None)
    code, _, error = tool(CONFIG, *SMALL, '--measure', '--measured', measured(**values))
    assert code == 2 and said in error


@pytest.mark.parametrize('values', [
    {'ranks': 40}, {'seconds': {'local pipeline': [0.2]}},
    {'seconds': {'local, one rank': [0.2], 'local, no averages': [0.2]}}], ids=str)
def test_a_measurement_of_nothing_simulated_is_told(tool, costs, measured, values):
    arguments = CONFIG, '--costs', costs, '--workers', '1', '--measured', measured(**values)
    code, out, _ = tool(*arguments)
    assert code == 0 and 'nothing to compare' in out and 'off by' not in out
    assert json.loads(tool(*arguments, '--json')[1])['measured'] == {}


def test_counted_and_then_read_again(tool, tmp_path):
    counted = tool(CONFIG, *SMALL, '--workers', '1', '2', '--json', '--out', tmp_path)
    assert counted[0] == 0
    plan = json.loads(counted[1])
    assert plan['source'] == 'counted, at 1e+12 multiply-adds per second'
    assert plan['stages'] == [[0, 1], [1, 2]] and plan['batch_size'] == 4
    again = tool(CONFIG, '--costs', tmp_path / 'costs.json', '--workers', '1', '2', '--json')
    assert json.loads(again[1]) == plan
    modules = json.loads((tmp_path / 'costs.json').read_text())['modules']
    # The first has an auxiliary network, the last only the head.
    assert modules[0]['seconds'] > modules[0]['bp_forward'] + modules[0]['bp_backward']
    assert modules[1]['seconds'] == pytest.approx(
        modules[1]['bp_forward'] + modules[1]['bp_backward'])
    assert modules[1]['parameter_bytes'] == modules[1]['bp_parameter_bytes']


def test_measured(tool):
    status, text, _ = tool(CONFIG, *SMALL, '--measure', '--rounds', '1', '--workers', '1')
    assert status == 0
    assert 'medians of 1 steps' in text and '2 modules on 2 ranks' in text


@pytest.mark.parametrize(('options', 'told'), [
    (['--ranks', '0'], '--ranks must be at least 1, got 0'),
    (['--workers', '1', '0'], '--workers must be at least 1, got 0'),
    (['--ranks', '4', '--stages', '3'], '--ranks must be a multiple of --stages'),
    (['--stages', '4'], '--stages must be at most 3, .*, got 4'),
    (['--ranks', '64'], 'replicas must share a batch of 4 images'),
    (['--ranks', '5'], '--ranks 5 cannot be split into stages and replicas'),
    (['--bandwidth', '0'], '--bandwidth must be above 0'),
    (['--latency', '-1'], '--latency must be a finite number'),
    (['--batch-size', '8'], '--costs reads .*, so --batch-size would have no effect'),
    (['--queue', '0'], '--queue must be at least 1'),
    (['--memory-limit', '-1'], '--memory-limit must be above 0 GiB, got -1'),
    (['--memory-limit', '1e-9'], 'keeps .* bytes per rank'),
])
def test_impossible_requests(tool, costs, options, told):
    status, text, error = tool(CONFIG, '--costs', costs, *options)
    assert status == 2 and not text
    assert error.startswith('error: ') and len(error.splitlines()) == 1
    assert re.search(told, error), error


@pytest.mark.parametrize(('arguments', 'told'), [
    (['configs/bp/absent.py'], 'no config at'),
    ([CONFIG, '--costs', 'absent.json'], 'absent.json'),
    ([CONFIG, '--flops-per-second', '0'], '--flops-per-second must be'),
])
def test_impossible_sources(tool, arguments, told):
    status, _, error = tool(*arguments)
    assert status == 2 and told in error


def test_costs_of_another_config_are_refused(tool, costs, tmp_path):
    held = {**json.loads(Path(costs).read_text()), 'config': 'dgl/resnet32_cifar10.py'}
    (tmp_path / 'other.json').write_text(json.dumps(held))
    status, text, error = tool(CONFIG, '--costs', str(tmp_path / 'other.json'))
    assert status == 2 and not text
    assert 'holds the costs of dgl/resnet32_cifar10.py, got auglocal/resnet32_cifar10.py' in error
    assert tool('nowhere.py', '--costs', costs)[0] == 2


def test_more_ranks_than_modules_are_the_fastest_split(tool, costs):
    status, text, _ = tool(CONFIG, '--costs', costs, '--ranks', '6', '--workers', '6')
    assert status == 0 and '3 modules on 6 ranks: 3 stages × 2 replicas' in text
