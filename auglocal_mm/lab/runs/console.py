"""Shows what is running and when everything will be finished."""
from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from auglocal_mm.console.live import LiveLines

from .execute import Active, Execution
from .run import Run


def duration(seconds: float) -> str:
    """Format hours and minutes, e.g. ``2 h 05 min``; below two minutes, seconds."""
    if seconds < 120:
        return f'{seconds:.0f} s'
    minutes = round(seconds / 60)
    return f'{minutes // 60} h {minutes % 60:02d} min' if minutes >= 60 else f'{minutes} min'


class Pace:
    """Estimates how long runs take, from those that have made progress.

    The estimate for a run is its cost (its row's, relative to BP) times the seconds that
    a unit of cost has taken so far.

    Args:
        before: Runs that were already finished; their recorded times count.
    """

    def __init__(self, before: Sequence[Run] = ()) -> None:
        self._known = {run.folder: (run.seconds, run.row.cost) for run in before if run.seconds}

    def learn(self, active: Active) -> None:
        """Take an active run's progress into account, once there is some."""
        share = _share(active)
        if share > 0.02:
            # The epochs of a resumed run count from its first start.
            before = active.run.seconds_of(active.step)
            total = active.run.seconds - before + (before + active.job.elapsed) / share
            self._known[active.run.folder] = total, active.run.row.cost

    @property
    def seconds_per_cost(self) -> float | None:
        """Seconds per unit of cost, or None while nothing is known."""
        if not self._known:
            return None
        return sum(t for t, _ in self._known.values()) / sum(c for _, c in self._known.values())

    def remaining(self, execution: Execution) -> float | None:
        """Return the seconds until everything is finished, or None while nothing is known."""
        pace = self.seconds_per_cost
        if pace is None:
            return None
        active = [max(0.0, self._total(each, pace) - each.job.elapsed)
                  for each in execution.active.values()]
        waiting = sum(run.row.cost for run in execution.waiting) * pace
        slots = max(1, len(execution.active))
        return max([*active, (sum(active) + waiting) / slots], default=0.0)

    def _total(self, active: Active, pace: float) -> float:
        total, _ = self._known.get(active.run.folder, (active.run.row.cost * pace, 0))
        return total - active.run.seconds


def _share(active: Active) -> float:
    return active.job.progress().share(active.step.epochs)


def _progress(active: Active) -> str:
    return active.job.progress().describe(active.step.epochs) or active.step.name


class Console:
    """Prints a line per active run and one for all, and failures and ends as they happen."""

    def __init__(self, text: LiveLines, *, done_before: Sequence[Run], total: int) -> None:
        self._text = text
        self._pace = Pace(done_before)
        self._total = total
        self._start = time.monotonic()
        self._told_failures = 0
        self._told_ends = 0

    def watch(self, execution: Execution) -> None:
        """Show the state of all runs, but not too often."""
        for each in execution.active.values():
            self._pace.learn(each)
        self._tell_ends(execution)
        if not self._text.due():
            return
        lines = [f'{each.run.label}: {_progress(each)}' for each in execution.active.values()]
        done = self._total - len(execution.waiting) - len(execution.active)
        lines.append(f'{done} of {self._total} runs done · '
                     f'{duration(time.monotonic() - self._start)} so far · '
                     f'{self._when(self._pace.remaining(execution))}')
        if self._text.replaces:
            self._text.show(lines)
        else:
            self._text.say('  |  '.join(lines))

    def _when(self, left: float | None) -> str:
        if left is None:
            return 'end not known yet'
        if left < 1:
            # The estimate ends with the training; what a run does after it is short.
            return 'almost done'
        end = datetime.now() + timedelta(seconds=left)
        day = '' if left < 86400 and end.date() == datetime.now().date() else f'{end:%d %b} '
        return f'about {duration(left)} to go, until {day}{end:%H:%M}'

    def _tell_ends(self, execution: Execution) -> None:
        for run in execution.finished[self._told_ends:]:
            metrics = ', '.join(f'{name} {value:.4g}' for name, value in run.measured().items())
            self._text.say(f'{run.label}: done in {duration(run.seconds)} · {metrics}')
        self._told_ends = len(execution.finished)
        for failure in execution.failures[self._told_failures:]:
            self._text.say(f'{failure.run.label}: {failure.reason}; its output is in {failure.log}')
        self._told_failures = len(execution.failures)
