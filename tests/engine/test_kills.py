"""A run that is killed and resumed, again and again, ends as one that was left alone.

All 300 kills take about 20 minutes of two cores::

    KILLS=300 pytest tests/engine/test_kills.py -m slow -n 0 -s
"""
import os
import random
import time

import killed_runs
import pytest
from digit_runs import differing, state
from killed_runs import Plan

#: Name, variants, ranks, and the file that a whole run ends with.
RUNS = {
    'plain': (('plain',), 1, 'epoch_2.pth'),
    'accumulation 3': (('accumulation',), 1, 'epoch_2.pth'),
    'bfloat16': (('bfloat16', 'midway'), 1, 'iter_10.pth'),
    'EMA': (('ema', 'midway'), 1, 'iter_10.pth'),
    '2 ranks': (('plain',), 2, 'epoch_2.pth'),
    'all of these': (('midway', 'accumulation', 'bfloat16', 'ema', 'best'), 2, 'iter_10.pth'),
    'iteration-based': (('iterations', 'accumulation'), 1, 'iter_11.pth'),
}
KILLS = int(os.environ.get('KILLS', '35'))


@pytest.mark.slow
@pytest.mark.parametrize('name', RUNS)
def test_no_kill_changes_the_weights_or_costs_more_than_since_the_last_checkpoint(name, tmp_path):
    quota = -(-KILLS // len(RUNS))
    kills, places = try_to_break(RUNS[name], tmp_path, kills=quota, seed=len(name))
    print(f'\n{name}: {kills} kills, none changed a weight or cost a checkpoint; '
          f'by place: {places}')


def test_a_kill_inside_saving(tmp_path):
    variants, ranks, last = (('midway', 'accumulation', 'ema'), 1, 'iter_10.pth')
    try_to_break((variants, ranks, last), tmp_path, kills=1, seed=0,
                 plans=[Plan('half written', 7)])


def try_to_break(run, folder, *, kills, seed, plans=None):
    """Kill runs and resume them until `kills` are reached; return the kills by place."""
    variants, ranks, last = run
    dice, counted, places, trial = random.Random(seed), 0, {}, 0
    begun = time.monotonic()
    assert not killed_runs.run(variants, folder / 'whole', ranks=ranks).killed
    seconds = time.monotonic() - begun
    expected = state(folder / 'whole' / last)
    while counted < kills:
        trial += 1
        work_dir, resume, standing = folder / f'trial{trial}', False, 0
        for attempt in range(5):
            plan = None
            if attempt < 4 and counted < kills:
                plan = plans[counted] if plans else Plan.draw(dice, seconds=seconds, ranks=ranks)
            tally = killed_runs.run(variants, work_dir, ranks=ranks, plan=plan, resume=resume)
            assert tally.first_iteration in (None, standing), (plan, tally, tally.said[-3000:])
            standing = tally.standing or standing
            if not tally.killed:
                break
            resume, counted = True, counted + 1
            place = plan.place or 'at a random moment'
            places[place] = places.get(place, 0) + 1
        assert not tally.killed
        assert not differing(expected, state(work_dir / last))
        assert (work_dir / 'last_checkpoint').read_text() == str(work_dir / last)
        names = {path.name for path in work_dir.glob('*.pth') if not path.name.startswith('best')}
        assert names == {last}
        assert not list(work_dir.glob('.*.partial'))
    return counted, places
