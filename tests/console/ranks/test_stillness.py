"""Which rank is said to hang: played on made-up beats and processor times."""
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auglocal_mm.console.ranks.heart import Beat
from auglocal_mm.console.ranks.sessions import Use
from auglocal_mm.console.ranks.stillness import Stillness

LIMIT, LOOK = 10.0, 2.0
BEAT = Beat(number=0, process=0, here=2, alone=True, limit=LIMIT, actions=0, mark='a',
            where='wait (queue.py:1)', waits='', log='', ending=False)


def beats(look, **changes):
    """A rank whose heart beats and that shows nothing else."""
    return replace(BEAT, number=look, **changes), Use(1.0, False, False)


def silent(look, **changes):
    """A rank whose heart stands."""
    return replace(BEAT, **changes), Use(1.0, False, False)


def waits(look):
    return beats(look, waits='other ranks')


def computes(look):
    return replace(BEAT, number=look), Use(look, False, False)


def acts(look):
    """One short action every 8 seconds: less than 1 % of a processor."""
    return replace(BEAT, number=look, actions=look // 4), Use(0.001 * look, False, False)


def play(*ranks, looks=30):
    """Return what is found first, and after how many looks."""
    stillness = Stillness()
    for look in range(looks):
        shown = [rank(look) for rank in ranks]
        found = stillness.look(
            {rank: None if each is None else replace(each[0], process=1 + rank)
             for rank, each in enumerate(shown)},
            {1 + rank: each[1] for rank, each in enumerate(shown) if each and each[1]}, LOOK)
        if found:
            return found, look
    return None


def stopped(look):
    # The first process is stopped while its loader workers fill their queue.
    return BEAT, Use(float(look), True, True)


@pytest.mark.parametrize(('ranks', 'rank', 'said'), [
    ((waits, silent), 1, 'frozen for 10 s, in wait'),
    ((computes, silent), 1, 'frozen for 10 s'),
    ((computes, stopped), 1, 'stopped by a signal (SIGSTOP or SIGTSTP) for 10 s'),
    ((waits, beats), 1, 'has stood still for 10 s in wait (queue.py:1), and no rank computes'),
    ((beats, waits), 0, 'raise --hang-timeout'),
])
def test_a_rank_that_hangs_is_named_once_the_limit_is_over(ranks, rank, said):
    found, look = play(*ranks)
    assert (found.rank, look * LOOK) == (rank, LIMIT)
    assert said in str(found)


@pytest.mark.parametrize('ranks', [
    (waits, computes), (waits, acts), (waits, waits), (beats, computes), (beats, acts),
    # It computes in C, for whom Python's lock is in the way.
    (waits, lambda look: (BEAT, Use(float(look), False, False))),
    # It waits for a disk or a network's file system.
    (waits, lambda look: (BEAT, Use(1.0, True, False))),
    (beats, lambda look: beats(look, waits='the network')),
    (beats, lambda look: beats(look, waits='a person')),
    # Somebody may wait for a rank elsewhere, or for one that has not begun.
    (lambda look: beats(look, alone=False), lambda look: beats(look, alone=False)),
    (beats,),
    (lambda look: beats(look, limit=0.0), lambda look: silent(look, limit=0.0)),
    # A beat that is just being written.
    (waits, lambda look: None if look % 4 else beats(look)),
])
def test_whoever_may_be_healthy_is_left_alone(ranks):
    assert play(*ranks) is None


def test_one_that_ends_gets_longer_and_one_that_has_ended_is_not_waited_for():
    found, look = play(beats, lambda look: silent(look, ending=True, limit=4 * LIMIT))
    assert (found.rank, look * LOOK) == (0, LIMIT)
    found, look = play(waits, lambda look: silent(look, ending=True, limit=4 * LIMIT))
    assert (found.rank, look * LOOK) == (1, 4 * LIMIT)
    assert 'has done its work, but has not ended for 40 s' in str(found)
    found, _ = play(beats, lambda look: computes(look) if look < 3 else (BEAT, None))
    assert found.rank == 0


def test_a_process_that_replaces_another_begins_at_zero():
    stillness = Stillness()
    for look in range(20):
        process = look // 5
        assert stillness.look({0: replace(BEAT, here=1, process=process)},
                              {process: Use(1.0, False, False)}, LOOK) is None


@given(st.lists(st.lists(st.sampled_from(['beat', 'act', 'compute', 'nothing']), min_size=2,
                         max_size=2), min_size=1, max_size=40))
def test_nobody_is_named_who_gave_a_sign_of_life_within_the_limit(moments):
    stillness, shown = Stillness(), [[BEAT, 0.0], [BEAT, 0.0]]
    last = [0, 0]
    for look, signs in enumerate(moments):
        for rank, sign in enumerate(signs):
            beat, seconds = shown[rank]
            shown[rank] = [replace(beat, process=1 + rank, number=look if sign != 'nothing' else
                                   beat.number, actions=beat.actions + (sign == 'act')),
                           seconds + (sign == 'compute')]
            if sign in ('act', 'compute') or look == 0:
                last[rank] = look
        found = stillness.look({rank: each[0] for rank, each in enumerate(shown)},
                               {1 + rank: Use(each[1], False, False)
                                for rank, each in enumerate(shown)}, LOOK)
        if found:
            assert (look - last[found.rank]) * LOOK >= LIMIT
            break
