"""The forecast on simulated machines: as fast as usual, slower, and slowing down midway."""
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auglocal_mm.lab.jobs.forecast import Forecast, JobForecast

TICK = 0.5
#: The demo's kind of steps: (seconds of start-up that show no progress, seconds of each job's
#: work, reports of each job).
STEPS = [(8, (), 0), (9, (20, 50), 40), (15, (), 0), (10, (140, 145), 90), (12, (), 0)]
USUAL = [start + max(work, default=0) for start, work, _ in STEPS]


def simulate(slowness):
    """Run the steps on a machine that needs ``slowness(t)`` seconds for a usual one.

    Returns:
        Time, exact and shown seconds to go, and done share, at each tick.
    """
    forecast, now, seen = Forecast(USUAL, start_up=10), 0.0, []
    for start, work, reports in STEPS:
        forecast.begin(now)
        done = 0.0
        while done < start + max(work, default=0):
            now += TICK
            done += TICK / slowness(now)
            worked = max(0.0, done - start)
            forecast.observe(now, {
                str(number): min(1.0, int(worked / seconds * reports) / reports)
                for number, seconds in enumerate(work)})
            seen.append((now, forecast.left(now), forecast.shown(now), forecast.share(now)))
        forecast.end(now)
    assert forecast.left(now) == 0
    assert forecast.share(now) == 1
    return seen


def longest_climb(seen, *, after: float, quiet: float = 20.0) -> float:
    """Seconds of the longest stretch of rises of the shown estimate, less than `quiet` apart."""
    longest, begin, last = 0.0, None, None
    for (_, _, before, _), (now, _, shown, _) in pairwise(seen):
        if now < after or shown <= before:
            continue
        if last is None or now - last > quiet:
            begin = now
        last = now
        longest = max(longest, last - begin)
    return longest


@settings(deadline=None, max_examples=10)
@given(slowness=st.floats(0.5, 6))
def test_a_slower_machine_is_recognised_and_the_estimate_falls_from_then_on(slowness):
    seen = simulate(lambda now: slowness)
    total = seen[-1][0]
    # By then the first training has reported a few times.
    settled = (USUAL[0] + 12) * slowness + 10
    for now, left, shown, _ in seen:
        if now >= settled:
            assert abs(now + left - total) <= 0.12 * total
            assert abs(now + shown - total) <= 0.2 * total
    assert longest_climb(seen, after=settled) <= 30


@settings(deadline=None, max_examples=10)
@given(at=st.floats(30, 200), slowness=st.floats(1.5, 5))
def test_a_machine_that_slows_down_midway_is_noticed_within_a_minute(at, slowness):
    seen = simulate(lambda now: slowness if now >= at else 1.0)
    total = seen[-1][0]
    # Steps without progress tell nothing; that is where the minute may be spent.
    settled = at + 60 + slowness * STEPS[2][0]
    for now, _, shown, _ in seen:
        if now >= settled:
            assert abs(now + shown - total) <= 0.25 * total
    assert longest_climb(seen, after=0) <= 60


@settings(deadline=None, max_examples=10)
@given(slow=st.lists(st.floats(0.5, 5), min_size=1, max_size=8), length=st.floats(10, 120))
def test_the_done_share_never_falls_and_the_shown_estimate_follows_the_exact_one(slow, length):
    seen = simulate(lambda now: slow[int(now / length) % len(slow)])
    shares = [share for _, _, _, share in seen]
    assert all(a <= b for a, b in pairwise(shares))
    assert shares[0] >= 0 and shares[-1] <= 1
    for _, left, shown, _ in seen:
        assert shown >= 0
        assert abs(left - shown) <= max(10.0, 0.1 * left) + 1e-6


def test_on_a_usual_machine_the_estimate_is_right_from_the_start():
    seen = simulate(lambda now: 1.0)
    assert all(abs(now + shown - sum(USUAL)) <= 15 for now, _, shown, _ in seen)


@pytest.mark.parametrize(('reports', 'left'), [
    ([], None), ([(0, 0.2)], None), ([(0, 0.2), (5, 0.2)], None), ([(0, 1.0)], 0.0),
    ([(0, 0.2), (10, 0.4)], 30.0), ([(10, 0.2), (20, 0.4), (30, 0.8)], 20 / 3)])
def test_of_one_job(reports, left):
    job = JobForecast()
    for now, share in reports:
        job.observe(now, share)
    now = reports[-1][0] if reports else 0
    assert job.left(now) == (left if left is None else pytest.approx(left))


def test_a_job_counts_down_to_its_next_report_and_not_beyond():
    job = JobForecast()
    job.observe(0, 0.0)
    job.observe(10, 0.1)
    assert job.left(10) == pytest.approx(90)
    assert job.left(20) == pytest.approx(80)
    # Nothing for a minute: at most 0.2 are done in 60 s.
    assert job.left(60) == pytest.approx(0.8 / (0.2 / 60))


def test_old_reports_are_forgotten():
    job = JobForecast()
    for now in range(0, 200, 2):
        job.observe(now, now / 1000)
    for now in range(200, 300, 2):
        job.observe(now, 0.2 + (now - 200) / 4000)
    assert job.left(298) == pytest.approx((1 - 0.2245) * 4000, rel=1e-6)
