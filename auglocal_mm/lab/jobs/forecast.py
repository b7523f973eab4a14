"""How long the rest of a tool's steps will take, on a machine of any speed."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

#: Seconds over which a job's speed is averaged: long enough to even out a validation,
#: short enough to notice within a minute that the machine has slowed down.
WINDOW_SECONDS = 40.0
#: Seconds that reports must span before they say something about speed.
LEAST_SECONDS = 5.0
#: Usual length of a step without progress reports whose duration counts half for the pace.
HALF_TRUST_SECONDS = 30.0
#: A shown estimate stays until it is wrong by this part, or by this many seconds.
TOLERANCE, TOLERANCE_SECONDS = 0.1, 10.0


class JobForecast:
    """Seconds that one job still needs, from the shares of it that were done over time."""

    def __init__(self) -> None:
        # (seconds, share), oldest first; the first one lies at the window's start or before.
        self._points: list[tuple[float, float]] = []

    def observe(self, now: float, share: float) -> None:
        """Record that `share` of the job, 0 to 1, is done."""
        if not self._points or (share > self._points[-1][1] and now > self._points[-1][0]):
            self._points.append((now, share))
            while len(self._points) > 2 and self._points[1][0] <= now - WINDOW_SECONDS:
                del self._points[0]

    @property
    def share(self) -> float:
        """The part that is done, 0 to 1."""
        return self._points[-1][1] if self._points else 0.0

    @property
    def done(self) -> bool:
        """Whether the job is complete."""
        return self.share >= 1

    def speed(self, now: float) -> float | None:
        """Return the share done per second; None before reports span `LEAST_SECONDS`.

        Once a report is overdue, the job is at most one report further: the speed falls
        with every second of waiting.
        """
        if len(self._points) < 2 or self._points[-1][0] - self._points[0][0] < LEAST_SECONDS:
            return None
        (start, first), (_, previous), (last, share) = (
            self._points[0], self._points[-2], self._points[-1])
        reported = (share - first) / (last - start)
        return min(reported, (2 * share - previous - first) / (now - start)) \
            if now > last else reported

    def left(self, now: float) -> float | None:
        """Return the seconds left, counting down between reports; None while unknown."""
        if self.done:
            return 0.0
        speed = self.speed(now)
        if speed is None:
            return None
        (_, previous), (last, share) = self._points[-2:]
        return max(0.0, 1 - share - min(speed * (now - last), share - previous)) / speed


class Forecast:
    """Seconds to the end of a list of steps, and the part that is done.

    The slowest job of the current step says how long the step will last, and its speed,
    compared with the usual one, is the machine's pace: all later steps are scaled by it.

    Args:
        expected: Seconds that each step usually takes, in order.
        start_up: Usual seconds of a job before it makes progress, as for imports.
    """

    def __init__(self, expected: Sequence[float], *, start_up: float = 0.0) -> None:
        self._expected = list(expected)
        self._start_up = start_up
        self._done = 0
        self._start: float | None = None
        self._pace = 1.0
        self._jobs: dict[str, JobForecast] = {}
        self._share = 0.0
        self._shown: tuple[float, float] | None = None

    def begin(self, now: float) -> None:
        """Start the next step."""
        self._start, self._jobs, self._share = now, {}, 0.0

    def end(self, now: float) -> None:
        """End the current step."""
        if self._start is not None and not self._slowest(now):
            self._pace = self._blended(now - self._start)
        self._done += 1
        self._start = None

    def observe(self, now: float, shares: Mapping[str, float]) -> None:
        """Record how much of each job of the current step is done, 0 to 1."""
        for name, share in shares.items():
            job = self._jobs.setdefault(name, JobForecast())
            if share > 0:
                job.observe(now, share)
        slowest = self._slowest(now)
        usual = self._expected[self._done] - self._start_up
        if slowest and not slowest.done and usual > 0:
            self._pace = 1 / ((slowest.speed(now) or 1.0) * usual)

    def left(self, now: float) -> float:
        """Return the seconds until the last step ends: the best estimate."""
        if self._done >= len(self._expected):
            return 0.0
        later = sum(self._expected[self._done + 1:])
        if self._start is None:
            return self._pace * (self._expected[self._done] + later)
        elapsed = now - self._start
        overdue = not self._slowest(now) and elapsed > self._planned()
        pace = self._blended(elapsed) if overdue else self._pace
        return self._step_left(now) + pace * later

    def shown(self, now: float) -> float:
        """Return the same for display: it counts down until it is clearly wrong."""
        left = self.left(now)
        if self._shown is not None:
            counted = max(0.0, self._shown[0] - (now - self._shown[1]))
            if abs(left - counted) <= max(TOLERANCE_SECONDS, TOLERANCE * left):
                return counted
        self._shown = left, now
        return left

    def share(self, now: float) -> float:
        """Return the completed part of the usual seconds of all steps, 0 to 1; never falls."""
        done = sum(self._expected[:self._done])
        if self._start is not None and self._done < len(self._expected):
            self._share = max(self._share, self._step_share(now))
            done += self._share * self._expected[self._done]
        return done / sum(self._expected)

    def _step_share(self, now: float) -> float:
        """Return the completed part of the current step: start-up, then its slowest job."""
        begun = min(self._start_up / self._expected[self._done], 1.0)
        least = min((job.share for job in self._jobs.values()), default=0.0)
        if least:
            return begun + least * (1 - begun)
        elapsed = now - (now if self._start is None else self._start)
        return min(elapsed / self._planned(), begun)

    def _planned(self) -> float:
        return self._pace * self._expected[self._done]

    def _step_left(self, now: float) -> float:
        # An overdue step that reports nothing is assumed to be almost done.
        elapsed = now - (now if self._start is None else self._start)
        unknown = max(self._planned() - elapsed, 0.1 * self._planned())
        lefts = [job.left(now) for job in self._jobs.values()]
        return max((unknown if left is None else left for left in lefts), default=unknown)

    def _slowest(self, now: float) -> JobForecast | None:
        """Return the job with the most time left; None unless it is known for all jobs."""
        lefts = [(job.left(now), number) for number, job in enumerate(self._jobs.values())]
        known = [(left, number) for left, number in lefts if left is not None]
        if not known or len(known) < len(lefts):
            return None
        return list(self._jobs.values())[max(known)[1]]

    def _blended(self, took: float) -> float:
        """Return the pace after a step that reported no progress."""
        usual = self._expected[self._done]
        trust = usual / (usual + HALF_TRUST_SECONDS)
        return (1 - trust) * self._pace + trust * took / usual
