"""Assignments against every cut, and what their ranks hold."""
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglocal_mm.plan import Assignment, assign_stages


def every_cut(modules, stages, ends):
    """All cuts in the order of their ends, so earlier stages are shorter in earlier ones."""
    for inner in combinations([end + 1 for end in ends if end + 1 < modules], stages - 1):
        bounds = [0, *inner, modules]
        yield tuple(range(a, b) for a, b in zip(bounds, bounds[1:], strict=False))


@st.composite
def problems(draw):
    """Costs, often equal, with memory and a limit that may be impossible."""
    costs = draw(st.lists(st.integers(0, 5), min_size=1, max_size=7))
    memory = draw(st.lists(st.integers(0, 5), min_size=len(costs), max_size=len(costs)))
    ends = sorted({*draw(st.sets(st.integers(0, len(costs) - 1))), len(costs) - 1})
    return costs, memory, ends, draw(st.integers(1, len(ends))), draw(
        st.none() | st.integers(1, 20))


@settings(max_examples=30)
@given(problems())
def test_no_cut_has_a_faster_slowest_stage(problem):
    costs, memory, ends, stages, limit = problem

    def rank(cut):
        return sorted((sum(costs[i] for i in stage) for stage in cut), reverse=True)

    fitting = [cut for cut in every_cut(len(costs), stages, ends)
               if limit is None or all(sum(memory[i] for i in stage) <= limit for stage in cut)]
    if not fitting:
        with pytest.raises(ValueError, match='keeps .* bytes per rank'):
            assign_stages(costs, stages, memory=memory, limit=limit, ends=ends)
        return
    got = assign_stages(costs, stages, memory=memory, limit=limit, ends=ends)
    # The first of the best in the order of every_cut: of equal cuts, earlier stages are shorter.
    assert got == min(fitting, key=rank)


def test_memory_may_be_a_function_of_a_run():
    def largest(modules):
        return max([9, 1, 1, 8][module] for module in modules)

    assert assign_stages([1, 1, 1, 1], 2, memory=largest, limit=9) == (range(2), range(2, 4))
    with pytest.raises(ValueError, match='no cut into 2 stages keeps 8 bytes per rank; not even'):
        assign_stages([1, 1, 1, 1], 2, memory=largest, limit=8)


@pytest.mark.parametrize(('keywords', 'told'), [
    (dict(stages=0), r'stages must be in 1 … 3, the number of modules, got 0'),
    (dict(stages=4), r'stages must be in 1 … 3, the number of modules, got 4'),
    (dict(stages=3, ends=[0]), r'1 … 2, the number of modules that a stage may end with, got 3'),
    (dict(stages=2, limit=5), 'limit=5 needs the memory'),
    (dict(stages=2, memory=[1, 2]), 'memory must have a value for each of 3 modules, got 2'),
    (dict(stages=1, memory=[4, 4, 4], limit=9), 'no cut into 1 stage keeps 9 .*; 2 stages would'),
])
def test_impossible_cuts(keywords, told):
    with pytest.raises(ValueError, match=told):
        assign_stages([1.0, 2.0, 3.0], **keywords)


@pytest.mark.parametrize('cost', [-1.0, float('nan'), float('inf')])
def test_impossible_costs(cost):
    with pytest.raises(ValueError, match='costs must be finite'):
        assign_stages([1.0, cost], 1)


@given(st.integers(1, 5), st.integers(1, 4))
def test_each_rank_has_one_place(stages, replicas):
    assignment = Assignment(tuple(range(i, i + 1) for i in range(stages)), replicas)
    places = [(assignment.stage_of(rank), assignment.replica_of(rank))
              for rank in range(assignment.world)]
    assert len(set(places)) == len(places) == stages * replicas
    for rank, place in enumerate(places):
        assert assignment.rank_of(*place) == rank
        assert assignment.modules_of(rank) == assignment.stages[place[0]]
    peers = [assignment.peers(stage) for stage in range(stages)]
    assert sorted(rank for group in peers for rank in group) == list(range(assignment.world))


def test_a_table():
    text = str(Assignment((range(4), range(4, 5)), 2))
    assert text.splitlines() == [
        '5 modules on 4 ranks: 2 stages × 2 replicas',
        'stage  modules  ranks',
        '---------------------',
        '0      0 … 3    1, 3',
        '1      4        0, 2']
    many = Assignment((range(4), range(4, 5)), 512)
    assert str(many).splitlines()[-1] == '1      4        0, 2, …, 1022'


@pytest.mark.parametrize(('stages', 'replicas', 'told'), [
    ((), 1, 'stages must hold'),
    ((range(1, 2),), 1, 'stages must hold'),
    ((range(2), range(3, 4)), 1, 'stages must hold'),
    ((range(2), range(2, 2)), 1, 'stages must hold'),
    ((range(0, 4, 2),), 1, 'stages must hold'),
    ((range(2),), 0, 'replicas must be at least 1, got 0'),
])
def test_impossible_assignments(stages, replicas, told):
    with pytest.raises(ValueError, match=told):
        Assignment(stages, replicas)


def test_a_rank_that_does_not_exist():
    assignment = Assignment((range(2),), 2)
    for call in (assignment.stage_of, assignment.replica_of, assignment.modules_of):
        with pytest.raises(ValueError, match='rank must be in 0 … 1, got 2'):
            call(2)
    with pytest.raises(ValueError, match='got 1 and 0'):
        assignment.rank_of(1)
