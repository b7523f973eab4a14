"""Schedules: run by blocking receives and asynchronous sends, in any order of ranks."""
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglocal_mm.plan import KINDS, Action, Assignment, schedule


def pipeline(stages, replicas=1):
    return Assignment(tuple(range(i, i + 1) for i in range(stages)), replicas)


def test_the_actions_of_a_rank():
    assert ' | '.join(map(str, schedule(pipeline(3), 1, 3, queue=1))) == (
        'receive 0 | run 0 | update 0 | send 0 | '
        'receive 1 | run 1 | update 1 | wait 0 | send 1 | '
        'receive 2 | run 2 | update 2 | wait 1 | send 2 | wait 2')
    assert [action.kind for action in schedule(pipeline(1, 2), 0, 1)] == [
        'load', 'run', 'average', 'update']


@settings(max_examples=15)
@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 4), st.randoms())
def test_ranks_never_block_for_ever(stages, steps, queue, choose):
    """A machine that runs actions in any possible order: it ends, and no queue overflows."""
    todo = [list(schedule(pipeline(stages), stage, steps, queue=queue))
            for stage in range(stages)]
    sent, taken = [set() for _ in range(stages)], [set() for _ in range(stages)]
    while any(todo):
        able = [stage for stage, actions in enumerate(todo) if actions and (
            actions[0].step in sent[stage - 1] if actions[0].kind == 'receive' else
            actions[0].step in taken[stage] if actions[0].kind == 'wait' else True)]
        assert able, 'all ranks wait'
        stage = choose.choice(able)
        action = todo[stage].pop(0)
        if action.kind == 'send':
            sent[stage].add(action.step)
        if action.kind == 'receive':
            taken[stage - 1].add(action.step)
        assert all(len(out - got) <= queue for out, got in zip(sent, taken, strict=True))
    assert all(got == set(range(steps)) for got in taken[:-1])


@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 2))
def test_each_step_is_run_once_and_in_order(stages, steps, replicas):
    for stage in range(stages):
        actions = schedule(pipeline(stages, replicas), stage, steps)
        assert {action.kind for action in actions} <= set(KINDS)
        assert {action.stage for action in actions} == {stage}
        for kind in {'run', 'update', 'receive' if stage else 'load'}:
            assert [each.step for each in actions if each.kind == kind] == list(range(steps))


@pytest.mark.parametrize(('stage', 'steps', 'queue', 'told'), [
    (2, 1, 1, 'stage must be in 0 … 1, got 2'),
    (0, 0, 1, 'steps must be at least 1, got 0'),
    (0, 1, 0, 'queue must be at least 1, got 0'),
])
def test_impossible_schedules(stage, steps, queue, told):
    with pytest.raises(ValueError, match=told):
        schedule(pipeline(2), stage, steps, queue=queue)


def test_an_action_reads_as_text():
    assert str(Action('send', 7, 0)) == 'send 7'
