"""What the three views have in common: TensorRT 8's members on top, everything else is the real object's."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable


class View:
    """An object of the named API, with the members that it had in TensorRT 8.

    Attributes:
        real: the object behind the view, for calls that insist on it.
    """

    def __init__(self, real: object) -> None:
        object.__setattr__(self, "real", real)

    def __getattr__(self, name: str) -> object:
        if name == "real":  # only while a copy is being made
            raise AttributeError(name)
        return getattr(self.real, name)

    def __setattr__(self, name: str, value: object) -> None:
        if name.startswith("_") or isinstance(getattr(type(self), name, None), property):
            object.__setattr__(self, name, value)
        else:
            setattr(self.real, name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self.real)})

    def __enter__(self) -> View:
        """``with`` did nothing in TensorRT 8 either."""
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __repr__(self) -> str:
        return f"<TensorRT 8 view of {self.real!r}>"


def replaced_by(now: str, stacklevel: int = 2) -> Callable:
    """Say, as TensorRT 8.5 and 8.6 did, what to use instead: ``DeprecationWarning: Use get_tensor_name instead.``

    Python shows such a warning where the call stands in a script or a notebook, and hides it inside modules.

    Parameters:
        stacklevel: 3 for the setter of a property, which ``View.__setattr__`` calls.
    """

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            warnings.warn(f"Use {now} instead.", DeprecationWarning, stacklevel=stacklevel)
            return function(*args, **kwargs)

        return wrapper

    return decorate
