"""TensorRT's habit, as a decorator: what cannot be done returns ``False``, logs one ERROR and changes nothing.

Inside, a rule that is broken raises :class:`Refused`; at the border of the class it becomes the log line and the
return value. Nothing else is caught. Contract: B-1, rules 1 and 28.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable


class Refused(Exception):
    """A broken rule: the key of a row of ``errors.toml``, and its facts."""

    def __init__(self, key: str, **facts: object) -> None:
        super().__init__(key)
        self.key, self.facts = key, facts


def refusing(method: str, otherwise: object = False, raises: str = "") -> Callable:
    """Turn :class:`Refused` into TensorRT's answer.

    Parameters:
        method: the C++ name of the method, as log lines give it.
        otherwise: what the call returns then.
        raises: the text of a RuntimeError that it raises instead, for the two methods that do.
    """

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def wrapper(self, *args):
            try:
                return function(self, *args)
            except Refused as refused:
                facts = {"interface": type(self).__name__, "method": method} | refused.facts
                self._log.error(refused.key, **facts)
            if raises:
                raise RuntimeError(raises)
            return otherwise

        return wrapper

    return decorate


def alone(function: Callable) -> Callable:
    """A context is not thread-safe. TensorRT leaves two threads in one context undefined (rule 62); we refuse."""

    @functools.wraps(function)
    def wrapper(self, *args):
        if not self._busy.acquire(blocking=False):
            raise Refused("context_in_use")
        try:
            return function(self, *args)
        finally:
            self._busy.release()

    return wrapper


def strict() -> bool:
    """Whether ``TRT_HELPERS_STRICT=1`` asks to refuse what a GPU would silently get wrong."""
    return os.environ.get("TRT_HELPERS_STRICT", "0") == "1"
