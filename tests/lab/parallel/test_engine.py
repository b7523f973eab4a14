"""The simulation engine against an oracle that goes over all tasks again and again."""
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglocal_mm.lab.parallel.engine import Key, Span, Task, events_of, simulate


def slowly(resources):
    """Raise every start until nothing changes any more."""
    start = {task.key: 0.0 for tasks in resources.values() for task in tasks}
    tasks = {task.key: task for each in resources.values() for task in each}
    before = {b.key: a.key for each in resources.values()
              for a, b in zip(each, each[1:], strict=False)}
    for _ in range(len(tasks) + 1):
        for key, task in tasks.items():
            needed = [*task.after, *([before[key]] if key in before else [])]
            start[key] = max([0.0, *(start[each] + tasks[each].seconds for each in needed)])
    return {key: (begin, begin + tasks[key].seconds) for key, begin in start.items()}


@st.composite
def task_sets(draw):
    """Tasks on a few resources that need earlier ones, so that none waits for ever."""
    resources, keys = {}, []
    for number in range(draw(st.integers(1, 12))):
        after = tuple(draw(st.sets(st.sampled_from(keys), max_size=3))) if keys else ()
        key = Key('run', 0, number)
        resources.setdefault(draw(st.integers(0, 2)), []).append(
            Task(key, draw(st.integers(0, 4)) * 0.5, after))
        keys.append(key)
    return resources


@settings(max_examples=25)
@given(task_sets())
def test_every_task_starts_as_early_as_it_can(resources):
    spans = simulate(resources)
    assert {key: (span.start, span.stop) for key, span in spans.items()} == slowly(resources)


@pytest.mark.parametrize('needed', [Key('run', 0, 1), Key('send', 9, 9)])
def test_tasks_that_wait_for_ever(needed):
    first = Task(Key('run', 0, 0), 1.0, (needed,))
    with pytest.raises(RuntimeError, match='would wait for ever'):
        simulate({'rank': [first, Task(Key('run', 0, 1), 1.0)]})


def test_events_are_of_ranks_and_begin_with_the_wait():
    spans = {Key('transfer', 1, 0): Span(0.0, 0.0, 2.0), Key('receive', 1, 0): Span(0.0, 2.0, 2.0),
             Key('run', 1, 0, 3): Span(2.0, 2.5, 4.0), Key('load', 0, 0): Span(1.0, 1.0, 1.0)}
    told = [(event.kind, event.rank, event.start, event.stop, event.part)
            for event in events_of(spans)]
    assert told == [('receive', 1, 0.0, 2.0, None), ('run', 1, 2.5, 4.0, 3)]
