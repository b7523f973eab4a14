"""Simulated back-propagation against the formulas that its schedules are known by."""
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parallel_costs import equal, model, models, module, networks

from auglocal_mm.lab.parallel.backprop import (
    BUCKET_BYTES,
    gradient_buckets,
    simulate_data_parallel,
)
from auglocal_mm.lab.parallel.network import Network
from auglocal_mm.lab.parallel.pipelines import ORDERS, held_micro_batches, simulate_pipeline
from auglocal_mm.plan import Assignment

FREE = Network(bandwidth=inf, latency=0.0)


def one_each(stages, replicas=1):
    return Assignment(tuple(range(i, i + 1) for i in range(stages)), replicas)


SIZES = [(stages, micro) for stages in (1, 2, 4) for micro in (1, 4, 8)]


@pytest.mark.parametrize(('stages', 'micro'), SIZES)
@pytest.mark.parametrize('kind', ['bp_gpipe', 'bp_1f1b'])
def test_the_bubble_of_a_pipeline(kind, stages, micro):
    result = simulate_pipeline(equal(stages), one_each(stages), FREE, kind=kind, micro=micro)
    assert result.bubble == pytest.approx((stages - 1) / (micro + stages - 1), abs=1e-12)


@pytest.mark.parametrize('stages', [2, 4])
@pytest.mark.parametrize('micro', [8, 16])
def test_the_bubble_of_zb_h1(stages, micro):
    """(p − 1)(T_F + T_B − T_W), a third of 1F1B's, where all passes take as long."""
    costs = equal(stages, 3.0 * micro)
    result = simulate_pipeline(costs, one_each(stages), FREE, kind='bp_zero_bubble', micro=micro)
    assert result.period == pytest.approx(3 * micro + stages - 1)


@pytest.mark.parametrize(('stages', 'micro'), SIZES)
def test_micro_batches_that_are_held(stages, micro):
    held = {kind: [held_micro_batches(order(stage, stages, micro)) for stage in range(stages)]
            for kind, order in ORDERS.items()}
    assert held['bp_gpipe'] == [micro] * stages
    assert held['bp_1f1b'] == [min(stages - stage, micro) for stage in range(stages)]
    assert held['bp_zero_bubble'] == [min(stages, micro)] * stages


@pytest.mark.parametrize('kind', ORDERS)
def test_every_pass_is_run_once(kind):
    for stage in range(3):
        order = ORDERS[kind](stage, 3, 5)
        passes = {'forward', 'backward'} | ({'weights'} if kind == 'bp_zero_bubble' else set())
        assert sorted(order) == sorted((each, micro) for each in passes for micro in range(5))


@settings(max_examples=15)
@given(models(), networks(), st.sampled_from(sorted(ORDERS)), st.integers(1, 6),
       st.integers(1, 3))
def test_never_faster_than_an_even_share_and_better_networks_help(
        costs, network, kind, micro, replicas):
    assignment = one_each(len(costs.modules), replicas)

    def run(network):
        return simulate_pipeline(costs, assignment, network, kind=kind, micro=micro)

    result = run(network)
    assert result.period >= costs.bp_seconds / assignment.world * (1 - 1e-9)
    values = dict(bandwidth=network.bandwidth, latency=network.latency)
    for better in (Network(**{**values, 'bandwidth': 2 * network.bandwidth}),
                   Network(**{**values, 'latency': network.latency / 2})):
        assert _end(run(better)) <= _end(result) + 1e-9


def _end(result):
    return max(event.stop for event in result.events)


@settings(max_examples=15)
@given(models(), networks(), st.integers(1, 6))
def test_gradients_arrive_after_they_were_computed(costs, network, micro):
    stages = len(costs.modules)
    result = simulate_pipeline(costs, one_each(stages), network, kind='bp_1f1b', micro=micro)
    times = {(e.kind, e.rank, e.step, e.part): (e.start, e.stop) for e in result.events}
    for (kind, rank, step, part), (start, _) in times.items():
        if kind == 'forward' and rank:
            assert start >= times['forward', rank - 1, step, part][1] - 1e-9
        if kind == 'backward':
            source = ('backward', rank + 1) if rank < stages - 1 else ('forward', rank)
            assert start >= times[(*source, step, part)][1] - 1e-9


def test_one_rank_is_plain_back_propagation():
    costs = equal(3)
    for result in (simulate_data_parallel(costs, 1, Network()),
                   *(simulate_pipeline(costs, Assignment((range(3),)), Network(), kind=kind,
                                       micro=1) for kind in ORDERS)):
        assert result.period == pytest.approx(9.0) and result.bubble == 0


def test_data_parallel_averages_a_bucket_while_earlier_modules_learn():
    network = Network(bandwidth=BUCKET_BYTES / 2, latency=0.0)
    # On 2 ranks each pass takes half as long, and a ring moves all bytes of a bucket once.
    hidden = model(module(6.0), module(6.0, trained=BUCKET_BYTES))
    assert simulate_data_parallel(hidden, 2, network).period == pytest.approx(6.0)
    shown = model(module(6.0, trained=BUCKET_BYTES), module(6.0))
    assert simulate_data_parallel(shown, 2, network).period == pytest.approx(6.0 + 2.0)


def test_buckets_fill_from_the_end():
    assert gradient_buckets([1, 1, 3, 2, 1], limit=3) == [[4, 3], [2], [1, 0]]
    assert gradient_buckets([1, 9], limit=100) == [[1, 0]]


@settings(max_examples=15)
@given(models(), networks(), st.integers(1, 8))
def test_data_parallel_is_never_faster_than_an_even_share(costs, network, ranks):
    result = simulate_data_parallel(costs, ranks, network)
    assert result.period >= costs.bp_seconds / ranks * (1 - 1e-9)


def test_a_ring_moves_almost_twice_the_bytes():
    network = Network(bandwidth=10.0, latency=0.25)
    assert network.average(40.0, 4) == pytest.approx(6 * (0.25 + 1.0))
    assert network.average(40.0, 1) == 0.0
    assert network.transfer(40.0) == pytest.approx(4.25)


@pytest.mark.parametrize(('values', 'told'), [
    (dict(bandwidth=0.0), '--bandwidth must be above 0'),
    (dict(bandwidth=float('nan')), '--bandwidth must be above 0'),
    (dict(latency=-1.0), '--latency must be a finite number'),
    (dict(latency=inf), '--latency must be a finite number'),
])
def test_impossible_networks(values, told):
    with pytest.raises(ValueError, match=told):
        Network(**values)
