"""What a run tells of itself: of each part, and of all it did. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

WHAT_STAYS = "What was answered is kept in {}; the same again does the rest."


class PartDone(NamedTuple):
    """What a worker reports of a part: times are ``time.time()`` on its machine, memory as of ``own_memory``."""

    part: str
    rows: int
    errors: int
    started: float
    ended: float
    worker: int
    memory: int


@dataclass
class Summary:
    """What a run did.

    Attributes:
        rows: rows answered in this run, those with an error included.
        errors: rows with an error among them.
        earlier: rows that an earlier run had answered.
        seconds: from the call to the last part.
        start_up_s: from the call until the first worker began with its first part; all of it if nothing was left to do.
        workers: process ids of the workers, also of those that died.
    """

    rows: int = 0
    errors: int = 0
    earlier: int = 0
    seconds: float = 0.0
    start_up_s: float = 0.0
    workers: list[int] = field(default_factory=list)

    def add(self, report: PartDone, start_up_s: float, seconds: float) -> None:
        """A part is done: when its worker began with it, and when it was reported, in seconds since the call."""
        self.start_up_s = min(start_up_s, self.start_up_s) if self.rows else start_up_s
        self.rows += report.rows
        self.errors += report.errors
        self.seconds = seconds
        if report.worker not in self.workers:
            self.workers.append(report.worker)

    @property
    def rate(self) -> float:
        """Rows a second from the first worker's start on: what a long run approaches."""
        return self.rows / max(self.seconds - self.start_up_s, 1e-9)

    def __str__(self) -> str:
        if not self.rows and self.earlier:
            return f"nothing was left to do: {self.earlier:,} rows were there, {self.seconds:.1f} s"
        before = f", {self.earlier:,} were there" if self.earlier else ""
        return (
            f"{self.rows:,} rows{before}, {self.errors:,} with an error, {self.seconds:.1f} s "
            f"({self.start_up_s:.1f} s to start, then {self.rate:,.1f} rows/s)"
        )
