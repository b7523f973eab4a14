"""Which rank hangs, told from what all of them show over time; pure, so that tests can play it."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .heart import Beat
from .place import OTHER_RANKS
from .sessions import Use

#: A process that stands still uses less of a processor than this, and this once.
IDLE_SHARE, IDLE_SECONDS = 0.01, 0.1


@dataclass(frozen=True)
class Hang:
    """A rank that hangs.

    Attributes:
        rank: Its number.
        seconds: For how long.
        beat: Its last beat.
        where: Where its main thread stands.
        frozen: Whether the whole process does, its heart as well.
        stopped: Whether a signal has stopped it.
    """

    rank: int
    seconds: float
    beat: Beat
    where: str
    frozen: bool
    stopped: bool

    def __str__(self) -> str:
        """Tell a user in one line."""
        where = f'in {self.where}'
        if self.stopped:
            return (f'stopped by a signal (SIGSTOP or SIGTSTP) for {self.seconds:.0f} s, {where}; '
                    'SIGCONT would have let it go on')
        if self.beat.ending:
            return f'has done its work, but has not ended for {self.seconds:.0f} s'
        if self.frozen:
            return (f'frozen for {self.seconds:.0f} s, {where}: compiled code there waits and '
                    'holds Python\'s lock')
        return (f'has stood still for {self.seconds:.0f} s {where}, and no rank computes; if it '
                'would have gone on, raise --hang-timeout')


class _Rank:
    """What one rank has shown."""

    def __init__(self, beat: Beat, use: Use) -> None:
        self.beat = beat
        self.use = use
        self.still = 0.0
        self.frozen = 0.0
        self._seconds = use.seconds

    def look(self, beat: Beat | None, use: Use, elapsed: float) -> None:
        # A beat that cannot be read is just being written.
        moved = beat is None or (beat.mark, beat.actions) != (self.beat.mark, self.beat.actions)
        beats = beat is None or beat.number != self.beat.number
        used = use.seconds - self._seconds
        idle = not use.busy and used <= IDLE_SECONDS + IDLE_SHARE * (self.still + elapsed)
        # Its own loader workers may still compute.
        idle = idle or (use.stopped and not beats)
        self.beat, self.use = beat or self.beat, use
        if moved or not idle:
            self.still, self.frozen, self._seconds = 0.0, 0.0, use.seconds
            return
        self.still += elapsed
        self.frozen = 0.0 if beats else self.frozen + elapsed


class Stillness:
    """Judges the ranks of one machine.

    A process is *frozen* when its heart has stopped and nothing of it computes. A rank *stands
    still* when its heart beats, but its main thread stays at one place, nothing of it
    computes and it finishes no action. That is told of a rank only if all ranks stand still
    and are on this machine: as long as one computes, others may be waiting for it in any way.
    """

    def __init__(self) -> None:
        self._ranks: dict[tuple[int, int], _Rank] = {}
        self._seen: set[int] = set()

    @property
    def limit(self) -> float:
        """The shortest limit of all ranks, in seconds; 0 if nothing is to be judged."""
        return min((each.beat.limit for each in self._ranks.values()), default=0.0)

    def look(self, beats: Mapping[int, Beat | None], uses: Mapping[int, Use],
             elapsed: float) -> Hang | None:
        """Take a look; return a rank that hangs.

        Args:
            beats: The latest beat of each rank that has a heart.
            uses: The use of each rank's session by its process; without those that have ended.
            elapsed: Seconds since the last look, in which the looker has not slept.
        """
        known = {rank: each for (rank, _), each in self._ranks.items()}
        ranks: dict[tuple[int, int], _Rank] = {}
        for rank, beat in beats.items():
            latest = beat or (known[rank].beat if rank in known else None)
            use = None if latest is None else uses.get(latest.process)
            if latest is None or use is None:
                continue
            # After a restart, a rank is another process.
            key = rank, latest.process
            ranks[key] = self._ranks.get(key) or _Rank(latest, use)
            if key in self._ranks:
                ranks[key].look(beat, use, elapsed)
        self._ranks = ranks
        self._seen |= {rank for rank, _ in ranks}
        return self._judge()

    def _judge(self) -> Hang | None:
        ranks = {rank: each for (rank, _), each in self._ranks.items()}
        frozen = [(each.frozen, rank) for rank, each in ranks.items()
                  if 0 < each.beat.limit <= each.frozen]
        if frozen:
            seconds, rank = max(frozen)
            beat = ranks[rank].beat
            return Hang(rank, seconds, beat, beat.where, True, ranks[rank].use.stopped)
        at_work = {rank: each for rank, each in ranks.items() if not each.beat.ending}
        # Somebody may wait for a rank that has not begun, or that is on another machine.
        if not all(each.beat.alone and each.beat.here <= len(self._seen)
                   and 0 < each.beat.limit <= each.still
                   and each.beat.waits in ('', OTHER_RANKS) for each in at_work.values()):
            return None
        causes = [(each.still, rank) for rank, each in at_work.items() if not each.beat.waits]
        if not causes:
            return None
        seconds, rank = max(causes)
        beat = ranks[rank].beat
        return Hang(rank, seconds, beat, beat.where, False, False)
