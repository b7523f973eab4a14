"""Timelines as text."""
import pytest

from auglocal_mm.plan import Event, timeline_text


def event(rank, kind, step, start, stop):
    return Event(rank=rank, kind=kind, step=step, start=start, stop=stop)


def test_each_cell_is_what_takes_most_of_it():
    text = timeline_text([
        event(0, 'run', 9, 0.0, 4.0), event(0, 'run', 10, 4.0, 7.0),
        event(0, 'average', 10, 7.0, 10.0),
        event(1, 'receive', 9, 0.0, 5.0), event(1, 'run', 9, 5.0, 9.6),
        event(1, 'forward', 1, 9.6, 9.7)], columns=10)
    assert text.splitlines() == [
        'rank 0 |9999000~~~|',
        'rank 1 |.....9999' + '9' + '|',
        '       0       10 s']


def test_passes_of_back_propagation_have_letters():
    text = timeline_text([event(3, kind, 0, start, start + 1.0) for start, kind in enumerate(
        ('forward', 'backward', 'weights'))], columns=9)
    assert text.splitlines()[0] == 'rank 3 |FFFBBBWWW|'


@pytest.mark.parametrize('events', [[], [event(0, 'run', 0, 0.0, 0.0)]])
def test_nothing_to_draw(events):
    with pytest.raises(ValueError, match='a timeline needs at least 1 event'):
        timeline_text(events)
