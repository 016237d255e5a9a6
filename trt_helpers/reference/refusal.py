"""A broken rule, for the façade to answer as TensorRT does."""

from __future__ import annotations

import os


class Refused(Exception):
    """A broken rule: the key of a row of ``errors.toml``, and its facts."""

    def __init__(self, key: str, **facts: object) -> None:
        super().__init__(key)
        self.key, self.facts = key, facts


def strict() -> bool:
    """Whether ``TRT_HELPERS_STRICT=1`` asks to refuse what a GPU would silently get wrong."""
    return os.environ.get("TRT_HELPERS_STRICT", "0") == "1"
