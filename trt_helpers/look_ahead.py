"""``read_ahead``: take a few items more than are handed out, so that what taking them starts goes on meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def read_ahead(items: Iterable[Item], count: int, ready: Callable[[Item], bool] | None = None) -> Iterator[Item]:
    """The same items, each handed out when ``count`` more have been taken, or at the first look that finds it ready.

        list(read_ahead("abc", 1))      # ['a', 'b', 'c'], and 'b' was taken before 'a' was handed out

    If the source fails, what it gave before is handed out first.

    Parameters:
        ready: asked of the oldest item whenever one has been taken; default: nothing is handed out early.
    """
    taken: deque[Item] = deque()
    failed = None
    try:
        for item in items:
            taken.append(item)
            while len(taken) > count or (taken and ready and ready(taken[0])):
                yield taken.popleft()
    except Exception as error:
        failed = error
    yield from taken
    if failed is not None:
        raise failed
