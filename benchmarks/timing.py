"""Taking turns, medians and spreads."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence


def interleaved(sides: Mapping[str, Callable[[], object]], turns: int, seed: int = 0) -> dict[str, list[float]]:
    """Seconds of each side in each turn; the order is new in every turn, so a busy moment hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    chosen, names = random.Random(seed), list(sides)
    for _ in range(turns):
        chosen.shuffle(names)
        for name in names:
            start = time.perf_counter()
            sides[name]()
            times[name].append(time.perf_counter() - start)
    return times


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, smallest and largest."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def ratio(slow: Sequence[float], fast: Sequence[float]) -> dict[str, float]:
    """How many times faster, turn by turn: the two times of one turn share what else the machine was doing."""
    return spread([a / b for a, b in zip(slow, fast, strict=True)])
