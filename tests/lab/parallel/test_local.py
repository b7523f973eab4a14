"""Simulated local learning: what must hold for every model and network."""
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parallel_costs import equal, model, models, module, networks

from auglocal_mm.lab.parallel.local import simulate_local
from auglocal_mm.lab.parallel.network import Network
from auglocal_mm.plan import Assignment, assign_stages

FREE = Network(bandwidth=inf, latency=0.0)


def cut(costs, stages, replicas=1):
    return Assignment(assign_stages([each.seconds for each in costs.modules], stages), replicas)


@pytest.mark.parametrize('stages', [1, 2, 3, 6])
@pytest.mark.parametrize('replicas', [1, 2])
def test_equal_stages_are_as_many_times_as_fast(stages, replicas):
    result = simulate_local(equal(6), cut(equal(6), stages, replicas), FREE)
    assert result.throughput == pytest.approx(64 / 18 * stages * replicas)
    assert result.bubble == pytest.approx(0.0)
    assert result.ranks == stages * replicas


@settings(max_examples=15)
@given(models(), networks())
def test_one_rank_is_the_sequential_loop(costs, network):
    result = simulate_local(costs, cut(costs, 1), network, steps=4)
    assert result.period == pytest.approx(costs.seconds)
    work = [(event.part, event.step) for event in result.events]
    assert work == [(part, step) for step in range(4) for part in range(len(costs.modules))]
    assert result.events[-1].stop == pytest.approx(4 * costs.seconds)


@settings(max_examples=15)
@given(models(), networks(), st.data())
def test_never_faster_than_the_slowest_stage_or_an_even_share(costs, network, data):
    stages = data.draw(st.integers(1, len(costs.modules)))
    replicas = data.draw(st.integers(1, 3))
    assignment = cut(costs, stages, replicas)
    result = simulate_local(costs, assignment, network, steps=8)
    slowest = max(sum(costs.modules[i].seconds for i in stage) for stage in assignment.stages)
    assert result.period >= slowest / replicas * (1 - 1e-9)
    assert result.period >= costs.seconds / assignment.world * (1 - 1e-9)
    assert 0 <= result.bubble < 1


@settings(max_examples=15)
@given(models(), networks(), st.data())
def test_a_better_network_or_a_longer_queue_never_ends_later(costs, network, data):
    assignment = cut(costs, data.draw(st.integers(1, len(costs.modules))),
                     data.draw(st.integers(1, 3)))

    def end(network, queue=1):
        result = simulate_local(costs, assignment, network, steps=6, queue=queue)
        return max(event.stop for event in result.events) * (1 - 1e-9)

    values = dict(bandwidth=network.bandwidth, latency=network.latency,
                  rendezvous=network.rendezvous)
    better = [Network(**{**values, 'bandwidth': 2 * network.bandwidth}),
              Network(**{**values, 'latency': network.latency / 2}),
              Network(**{**values, 'rendezvous': False})]
    for other in better:
        assert end(other) <= end(network) / (1 - 1e-9) + 1e-9
    assert end(network, queue=2) <= end(network) / (1 - 1e-9) + 1e-9


@settings(max_examples=15)
@given(models(), networks(), st.integers(1, 3))
def test_no_batch_is_received_before_it_was_sent(costs, network, queue):
    stages = len(costs.modules)
    result = simulate_local(costs, cut(costs, stages), network, steps=6, queue=queue)
    ends = {(event.rank, event.step): event.stop for event in result.events
            if event.kind == 'run'}
    starts = {(event.rank, event.step): event.start for event in result.events
              if event.kind == 'run'}
    for (rank, step), start in starts.items():
        if rank:
            seconds = network.transfer(costs.modules[rank - 1].boundary_bytes)
            assert start >= ends[rank - 1, step] + seconds - 1e-9
        # Back-pressure: a rank is never further ahead than the queue and one step in progress.
        if rank < stages - 1 and step > queue:
            assert start >= starts[rank + 1, step - queue - 1] - 1e-9


def test_a_rendezvous_shows_the_transfer_and_a_queue_hides_it():
    costs = equal(2, sent=1.0)
    slow = dict(bandwidth=1.0, latency=0.5)
    assert simulate_local(costs, cut(costs, 2), Network(**slow)).period == pytest.approx(3.0)
    assert simulate_local(costs, cut(costs, 2),
                          Network(**slow, rendezvous=True)).period == pytest.approx(4.5)


def test_averages_hide_under_later_modules():
    network = Network(bandwidth=1.0, latency=0.0)
    # A ring of 2 moves all bytes once: 2 (n − 1) / n. The batch is halved.
    early = model(module(2.0, trained=1.0), module(4.0))
    late = model(module(4.0), module(2.0, trained=1.0))
    assert simulate_local(early, cut(early, 1, 2), network).period == pytest.approx(3.0)
    assert simulate_local(late, cut(late, 1, 2), network).period == pytest.approx(4.0)


def test_memory_of_a_rank():
    costs = model(module(3.0, sent=10.0, trained=100.0, kept=1000.0),
                  module(3.0, sent=20.0, trained=200.0, kept=5000.0),
                  module(3.0, sent=30.0, trained=300.0, kept=2000.0), copies=3.0)
    assert costs.local_bytes(range(2), queue=2) == 3 * 300 + 5000 + 2 * 20
    assert costs.local_bytes(range(1, 2), queue=2, replicas=2) == 3 * 200 + (5000 + 2 * 30) / 2
    # The batch that is read and the logits at the end are no carries.
    assert costs.local_bytes(range(3), queue=2) == 3 * 600 + 5000
    assert costs.bp_bytes(range(3), share=0.5) == 3 * 600 + 4000
