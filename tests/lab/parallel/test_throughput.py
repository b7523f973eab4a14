"""The benchmark's table, and what a simulation says beside it."""
import pytest
import torch
from parallel_costs import equal

from auglocal_mm.engine.options import load_config
from auglocal_mm.files import write_json
from auglocal_mm.lab.parallel import measured, prediction, throughput
from auglocal_mm.lab.parallel.compare import Cluster, Comparison
from auglocal_mm.lab.parallel.measurement import Measurement, Timed
from auglocal_mm.lab.parallel.names import ALONE, NAMES, names_of
from auglocal_mm.lab.parallel.pictures import trace_chart
from auglocal_mm.lab.parallel.strategies import STRATEGIES
from auglocal_mm.lab.parallel.throughput import Job, Throughput
from auglocal_mm.plan import Event

JOB = Job(local='local', bp='bp', size=64, ranks=2, steps=4, simulate=True)


def test_the_table_shows_ratios_by_rounds_and_what_the_simulation_missed():
    found = Throughput(job=JOB, simulated={'local pipeline': 2.0}, strategies=(
        Timed(name='local, one rank', seconds=(2.0, 1.0, 3.0)),
        Timed(name='local pipeline', seconds=(1.0, 0.8, 2.0)),
        Timed(name='BP GPipe', seconds=(0.5,))))
    assert found.table().splitlines()[2:] == [
        '| local, one rank | 2000 [1000, 3000] | 1.00 times |  | 32 |',
        '| local pipeline | 1000 [800, 2000] | 1.50 times | 2.00 times (+33%) | 64 |',
        '| BP GPipe | 500 [500, 500] |  |  | 128 |']


def test_a_turn_is_simulated_as_it_is_timed(monkeypatch):
    monkeypatch.setattr('auglocal_mm.lab.parallel.counted.counted_costs',
                        lambda *args: equal(2, 1.0))
    monkeypatch.setattr(measured, 'measured_costs', lambda config, settings, counted: counted)
    found = prediction.predict(JOB)
    # Four steps of two equal stages, the second one step later: five half steps for four whole.
    assert found['local pipeline'] == pytest.approx(8 / 5, rel=1e-3)
    assert found['BP data parallel'] == pytest.approx(2, rel=1e-3)
    assert set(found) <= set(NAMES)


def test_a_measurement_is_read_as_it_was_written(tmp_path):
    path = 'auglocal_mm::auglocal/resnet32_cifar10.py'
    options = {'model.local.depth': 2, 'model.backbone.out_indices': (2,), 'train_cfg.x': 1}
    found = Throughput(job=Job(local=path, bp='bp', size=64, options=options), strategies=(
        Timed(name='local pipeline', seconds=(1.0, 0.8)),)).measurement
    assert found.options == {'model.local.depth': 2, 'model.backbone.out_indices': [2]}
    write_json(found.to_dict(), tmp_path / 'measured.json')
    assert Measurement.read(tmp_path / 'measured.json') == found


@pytest.mark.parametrize(('steps', 'speed'), [(1, 1), (2, 4 / 3), (4, 8 / 5)])
def test_a_turn_has_the_steps_of_the_benchmark(steps, speed):
    comparison = Comparison(equal(2, 1.0), Cluster())
    found = prediction.expected(comparison, ranks=2, steps=steps)
    assert found['local pipeline'] == pytest.approx(speed, rel=1e-3)


def test_pipelines_of_bp_have_the_micro_batches_of_the_benchmark():
    costs = equal(4, 1.0)
    found, other = (prediction.expected(Comparison(costs, Cluster(micro=micro)), ranks=4, steps=4)
                    for micro in (None, 2))
    # Eight micro-batches through four stages, forward and backward: 11 turns, of which 8 work.
    assert found['BP GPipe'] == pytest.approx(4 * 8 / 11, rel=1e-2)
    assert found == other


@pytest.mark.parametrize(('settings', 'told'), [
    (dict(ranks=1), '--ranks must be an integer of at least 2, got 1'),
    (dict(ranks=65), '--ranks must be an integer of at most 64, got 65'),
    (dict(steps=0), '--steps must be'), (dict(rounds=0), '--rounds must be'),
    (dict(size=3), '--batch-size must be an integer of at least 4, two images for each rank'),
    (dict(local='nowhere.py'), 'no config at nowhere.py'),
    (dict(local='auglocal_mm::demo/mask-rcnn_digit-scenes_bp.py'), 'classifier'),
    (dict(local='auglocal_mm::bp/resnet32_cifar10.py'), 'trained locally'),
], ids=str)
def test_what_cannot_be_timed_is_refused_before_processes_start(settings, told, monkeypatch):
    monkeypatch.setattr(throughput, 'Team', None)
    with pytest.raises((ValueError, FileNotFoundError), match=told):
        throughput.measure(Job(**{
            'local': 'auglocal_mm::auglocal/resnet32_cifar10.py',
            'bp': 'auglocal_mm::bp/resnet32_cifar10.py', 'size': 8, **settings}))


def test_unknown_strategies_are_refused():
    with pytest.raises(ValueError, match='BP 1F1B, got'):
        names_of(['BP zero bubble'])


def test_what_was_measured_is_drawn_as_a_simulation_is():
    events = [Event(rank=rank, kind='run', step=step, start=step + 1.0 - rank,
                    stop=step + 2.0 - rank) for rank in range(2) for step in range(3)]
    chart = trace_chart(events)
    assert '25 % idle' in chart.alt
    assert [text.get_text() for text in chart.figure.axes[0].texts] == [*'012', *'012']


@pytest.mark.parametrize('name', ALONE)
def test_steps_leave_the_weights_as_they_are(name):
    # Hundreds of steps on one batch of random labels would diverge, and stop the benchmark.
    local, plain = (load_config(f'auglocal_mm::{rule}/resnet32_cifar10.py', cfg_options={
        'model.backbone.depth': 20, 'optim_wrapper.optimizer.lr': 1e3})
        for rule in ('auglocal', 'bp'))
    strategy = STRATEGIES[name](local, plain, 4, 1)
    model = strategy._model
    before = [parameter.clone() for parameter in model.parameters()]
    for _ in range(2):
        strategy.step()
    assert all(map(torch.equal, before, model.parameters()))
    assert all(parameter.grad is None or parameter.grad.isfinite().all()
               for parameter in model.parameters())
