"""Which of several failed ranks to believe."""
from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .report import Report

#: What usually sends a signal.
_CAUSES = {
    signal.SIGKILL: 'the system kills like this when memory runs out; lower batch_size or '
                    'num_workers, and see `dmesg`',
    signal.SIGSEGV: 'a crash in compiled code',
    signal.SIGBUS: 'often shared memory that is full; enlarge /dev/shm or lower num_workers',
    signal.SIGABRT: 'compiled code gave up; with GPUs, ranks that waited longer than --timeout '
                    'end like this',
    signal.SIGTERM: 'someone asked it to end, such as a job scheduler',
}


@dataclass(frozen=True)
class Verdict:
    """The cause of the first failure: exit status of the whole, and a line for the user."""

    status: int
    line: str


def judge(reports: Sequence[Report], exit_codes: Mapping[int, int]) -> Verdict:
    """Find the cause among what all ranks of this machine left.

    A rank's own fault comes first, then one that hung, then a signal, then a time-out, then a
    lost connection; among equals, the earliest.

    Args:
        reports: What ranks reported, the earliest first.
        exit_codes: Exit code of each rank that failed; minus the number of a signal.
    """
    for kind in ('own', 'hang', None, 'timeout', 'consequence', 'interruption'):
        if kind is None:
            silent = {rank: code for rank, code in exit_codes.items()
                      if rank not in {report.rank for report in reports}}
            if silent:
                return _silent(silent, bool(reports))
            continue
        found = [report for report in reports if report.kind == kind]
        if found:
            return _reported(found, len(exit_codes))
    return Verdict(1, 'error: the ranks failed without telling why')


def _reported(found: Sequence[Report], failed: int) -> Verdict:
    first = found[0]
    if first.kind == 'interruption':
        told = min(found, key=lambda each: each.rank)
        return Verdict(told.status, told.line)
    alike = sum(report.line == first.line for report in found)
    whose = '' if alike > 1 and alike >= failed else f'rank {first.rank}: '
    return Verdict(first.status, f'error: {whose}{first.line}')


def _silent(exit_codes: Mapping[int, int], others_reported: bool) -> Verdict:
    """Tell of a rank that died without a word; the agent's own SIGTERM is no first cause."""
    signals = {rank: -code for rank, code in exit_codes.items() if code < 0}
    first = {rank: number for rank, number in signals.items() if number != signal.SIGTERM}
    for rank, number in sorted((first or signals).items()):
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = 'of unknown name'
        cause = _CAUSES.get(number)  # type: ignore[call-overload]
        return Verdict(1, f'error: rank {rank} was ended by signal {number} ({name})'
                          f'{f": {cause}" if cause else ""}')
    rank, code = min(exit_codes.items())
    return Verdict(code, f'error: rank {rank} ended with exit status {code}')
