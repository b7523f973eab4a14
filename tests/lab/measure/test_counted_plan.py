"""The plan as a table: what it shows, and that its columns add up."""
import json
import runpy
import sys
from collections import OrderedDict

import pytest
from mmengine.logging import MMLogger
from small import auglocal, classifier

from auglocal_mm.lab.measure.complexity import complexity
from auglocal_mm.lab.measure.counted_plan import CountedPlan, counted_plan_of_config
from auglocal_mm.lab.measure.module_table import module_table

CONFIG = 'configs/auglocal/resnet32_cifar10.py'
SHORT = 'model.backbone.depth=20'


def counted(local, side=16):
    model = classifier(local)
    return CountedPlan(model.plan, complexity(model, (side, side)), model.num_classes,
                       module_table(model, (side, side)))


@pytest.fixture(scope='module')
def plan():
    return counted(auglocal(3))


def cells(line):
    return [cell.strip() for cell in line.split('  ') if cell.strip()]


def tables(plan):
    """Rows of the two tables as lists of cells, without titles, headers and rules."""
    first, second, _ = str(plan).split('\n\n')[1:]
    return [[cells(line) for line in table.splitlines()[2:]] for table in (first, second)]


def test_a_row_shows_a_layer_and_its_network(plan):
    rows = {row[0]: row for row in tables(plan)[0]}
    assert rows['layer2.0'] == [
        'layer2.0', '4', '8', '2', '8R-16R-AP-4FC', '1 2', '944', '4,932', '0.06', '0.13', '12.48']
    # The last module's layers learn through the head alone.
    assert rows['layer3.2'][:5] == ['layer3.2', '7', '16', '1', '(the head)']
    assert rows['neck, head'][:3] == ['neck, head', '7', '68']


def test_numbers_end_where_their_headers_do(plan):
    lines = str(plan).split('\n\n')[1].splitlines()
    assert len({len(line) for line in lines}) == 1
    for column in ('params', 'aux. MFLOPs', 'channels'):
        end = lines[0].index(f' {column} ') + 1 + len(column)
        assert lines[2][end - 1].isdigit() and lines[2][end] == ' '


def test_shares_and_parameters_add_up(plan):
    rows, totals = tables(plan)
    assert sum(float(row[-1]) for row in rows) == pytest.approx(100, abs=0.005 * len(rows))
    bp, auxiliary, both = totals
    assert [row[0] for row in totals] == [
        'BP: backbone, neck, head', 'auxiliary networks', 'this rule: both']
    assert int(both[3].replace(',', '')) == plan.counts.params
    for column in (2, 4):
        assert bp[column] == '1.000'
        assert float(both[column]) == pytest.approx(1 + float(auxiliary[column]), abs=0.0011)


def test_json_has_the_plan_and_what_it_costs(plan):
    data = plan.to_dict()
    assert (data['units'], data['modules']) == (plan.plan.units, plan.plan.modules)
    assert data['totals'] == plan.counts.to_dict()
    head = plan.counts.find('head', 'head')
    for what in ('flops', 'params'):
        units = sum(layer[what] for layer in data['layers'])
        networks = sum(layer['auxiliary'][what] for layer in data['layers'] if layer['auxiliary'])
        assert units + getattr(head, what) == data['totals'][f'backbone_{what}']
        assert networks == data['totals'][f'auxiliary_{what}']
    for layer, bare in zip(data['layers'], plan.plan.to_dict()['layers'], strict=True):
        assert set(layer) - set(bare) == {'flops', 'params'}


def test_back_propagation_costs_itself():
    plan = counted({'type': 'auglocal_mm.Backprop'})
    assert str(plan).startswith('10 units in 1 local module\n')
    bp, auxiliary, both = tables(plan)[1]
    assert bp[1:] == both[1:] and auxiliary[1:] == ['0.00', '0.000', '0', '0.000']


def test_a_config_without_local_learning_has_no_plan(root):
    with pytest.raises(ValueError, match="model.type='ImageClassifier', which is not trained"):
        counted_plan_of_config(str(root / CONFIG), {'model.type': 'ImageClassifier'})


@pytest.fixture
def tool(root, monkeypatch, capsys):
    """Runs the tool as a script; returns its exit status and what it wrote."""
    def run(*words):
        script = str(root / 'tools/analysis_tools/show_plan.py')
        monkeypatch.setattr(sys, 'argv', [script, *map(str, words)])
        monkeypatch.setattr(sys, 'path', list(sys.path))
        status = 0
        try:
            runpy.run_path(script, run_name='__main__')
        except SystemExit as left:
            status = left.code
        return status, *capsys.readouterr()
    return run


def test_the_tool_counts_at_the_size_it_is_given(tool, root):
    status, out, _ = tool(root / CONFIG, '--shape', '16', '24')
    assert status == 0 and out.startswith('16 units in 11 local modules\n')
    assert 'one 3×16×24 image' in out and '-10FC' in out
    status, out, _ = tool(root / CONFIG, '--json', '--cfg-options', SHORT)
    assert status == 0 and json.loads(out)['totals']['input_shape'] == [3, 32, 32]


def test_what_the_hosts_say_is_kept_out_of_the_result(tool, root, monkeypatch):
    monkeypatch.setattr(MMLogger, '_instance_dict', OrderedDict())
    status, out, err = tool(root / CONFIG, '--json', '--cfg-options', SHORT,
                            'model.train_cfg.augments.type=Mixup',
                            'model.train_cfg.augments.alpha=0.8')
    assert status == 0 and json.loads(out)['units'] == 10
    assert 'mmengine - INFO' in err


def test_a_detectors_modules_are_counted_at_its_usual_size(tool, root):
    status, out, _ = tool(root / 'configs/demo/mask-rcnn_digit-scenes_local.py')
    assert status == 0 and out.startswith('17 units in 4 local modules\n')
    assert 'one image of 800×1344' in out and 'MFLOPs' not in out
    assert [cells(line)[0] for line in out.splitlines()[-5:]] == ['0', '1', '2', '3', 'BP']


def test_modules_are_listed_with_shares_of_back_propagations_cost(plan):
    *rows, bp = [cells(line) for line in str(plan).split('\n\n')[3].splitlines()[3:]]
    assert [row[0] for row in rows] == list('01234567') and bp[3] == bp[5] == '1.000'
    assert rows[-1][1] == 'layer3.0 … layer3.2'
    listed = plan.to_dict()['module_costs']
    assert float(rows[0][2]) == pytest.approx(listed[0]['kept_bytes'] / 2**20, abs=0.05)
    assert [entry['module'] for entry in listed] == list(range(8))


def test_a_plan_is_shown_where_its_modules_cannot_be_counted(monkeypatch):
    def refuse(images):
        raise RuntimeError('no such shape')

    model = classifier(auglocal(3))
    monkeypatch.setattr(model.backbone.layer1[0], 'forward', refuse)
    table = module_table(model)
    assert table.to_list() is None
    assert str(table).startswith(
        'The modules are not counted: ResNetCIFAR: the cost of unit layer1.0 cannot be counted on '
        'images of 32×32 (no such shape); set')


@pytest.mark.parametrize(('config', 'options', 'said'), [
    (CONFIG, ['--shape', '0'], 'at least 1 pixel each, got 0'),
    (CONFIG, ['--cfg-options', 'model.type=ImageClassifier'], 'which is not trained locally'),
    ('configs/_base_/datasets/cifar10.py', [], 'which is not trained locally'),
    ('configs/fcos/fcos_r34_bp_fpn_adamw_1x_coco.py', [],
     "model.type='FCOS', which is not trained locally; a plan needs "
     "model.type='auglocal_mm.LocalDetector'"),
])
def test_faults_are_told_in_a_line(tool, root, config, options, said):
    status, _, err = tool(root / config, *options)
    assert status == 2 and said in err and 'Traceback' not in err
