"""What all stand-ins share with NVIDIA's classes: the members they have and no others, refusals, and settings."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable

import tensorrt_rtx as rtx

from .arguments import converter, nvidia_class, setter_value, type_error
from .refusal import Refused
from .reporting import Log

_MODULE = "tensorrt_rtx_bindings.tensorrt_rtx"


class Facade:
    """Base of all stand-ins. Their state is in underscore names; every other name is one of NVIDIA's."""

    _log: Log
    _busy: threading.RLock

    # NVIDIA's own deprecated ``with`` support: it warns and does nothing else.
    __enter__ = rtx.common_enter
    __exit__ = rtx.common_exit

    def __setattr__(self, name: str, value: object) -> None:
        """A misspelt setting is an AttributeError, not a new attribute that nobody reads."""
        if not name.startswith("_"):
            member = getattr(type(self), name, None)
            if member is None:
                self.__getattr__(name)
            if not hasattr(member, "__set__") or isinstance(member, property) and member.fset is None:
                raise AttributeError(f"property of '{type(self).__name__}' object has no setter")
        object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> object:
        """Members that TensorRT removed keep its own text; members that we do not offer say so."""
        if name == "__del__":
            # The bindings have this method; Python must not call it at the end of an object, so it is found here.
            return functools.partial(_nothing, self)
        interface = type(self).__name__
        if isinstance(getattr(type(self), name, None), property):
            raise AttributeError(f"property of '{interface}' object has no getter")
        if not name.startswith("_") and nvidia_class(self, name):
            raise AttributeError(f"{interface}.{name} is not in the reference lane: it needs TensorRT on a GPU")
        raise AttributeError(f"'{_MODULE}.{interface}' object has no attribute '{name}'")


class NotConstructible(Facade):
    """A class that only TensorRT hands out, as the bindings have it; here ``made`` does."""

    def __init__(self) -> None:
        raise TypeError(f"{_MODULE}.{type(self).__name__}: No constructor defined!")


def made(cls: type, **state: object) -> Facade:
    """An object of a class that has no constructor."""
    instance = object.__new__(cls)
    vars(instance).update(state)
    return instance


def _nothing(_: object) -> None:
    """What ``__del__`` does. NVIDIA's also warns that it is deprecated."""


class WithErrorRecorder:
    """The member ``error_recorder`` of runtimes, engines, contexts and inspectors."""

    _log: Log

    @property
    def error_recorder(self) -> rtx.IErrorRecorder | None:
        """Gets the errors instead of the logger; None (default) gives them back to the logger.

        It is handed on, once, to every object made from here later: runtime to engine, engine to context.
        """
        return self._log.recorder

    @error_recorder.setter
    def error_recorder(self, recorder: rtx.IErrorRecorder | None) -> None:
        if recorder is not None and not isinstance(recorder, rtx.IErrorRecorder):
            raise TypeError(f"(): incompatible function arguments. Invoked with: {self!r}, {recorder!r}")
        self._log.recorder = recorder


# ---- refusals -----------------------------------------------------------------------------------------------


def refusing(method: str, otherwise: object = False, raises: str = "") -> Callable:
    """Turn ``Refused`` into TensorRT's answer: what cannot be done logs one ERROR, changes nothing and returns this.

    Nothing else is caught. Contract: 1, 28.

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


# ---- members that are data ----------------------------------------------------------------------------------


class Setting:
    """A member that may be set and read back, and changes nothing here: ONNX Runtime has nothing behind it."""

    def __init__(self, annotation: str, default: object, doc: str) -> None:
        self._convert, self._default, self.__doc__ = converter(annotation), default, doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._slot = f"_setting_{name}"

    def __get__(self, instance: object, owner: type | None = None) -> object:
        return self if instance is None else getattr(instance, "__dict__", {}).get(self._slot, self._default)

    def __set__(self, instance: object, value: object) -> None:
        try:
            instance.__dict__[self._slot] = self._convert(value)
        except (TypeError, OverflowError):
            raise type_error(instance, "", (value,)) from None


class WriteOnly(property):
    """A member that may be set and not be read, as the bindings have two."""

    def __init__(self, annotation: str, setter: Callable, doc: str) -> None:
        converter(annotation)  # an annotation that is not known fails now, not when somebody sets the member
        super().__init__(None, lambda self, value: setter(self, setter_value(self, annotation, value)), doc=doc)


class Fixed(property):
    """A read-only member with one value for all engines or contexts of this lane."""

    def __init__(self, value: object, doc: str) -> None:
        super().__init__(lambda _: value, doc=doc)


class InvalidDims(rtx.Dims):
    """What TensorRT returns for a shape it does not know: a ``Dims`` with -1 dimensions.

    It has no length (``ValueError``), no elements (``IndexError``) and equals nothing. Contract: 8.
    """

    def __len__(self) -> int:
        raise ValueError("__len__() should return >= 0")

    def __getitem__(self, index: object) -> int:
        raise IndexError("Out of bounds")

    def __setitem__(self, index: object, value: object) -> None:
        raise IndexError("Out of bounds")

    def __iter__(self):
        raise ValueError("__len__() should return >= 0")

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = None

    def __repr__(self) -> str:
        return "<invalid Dims>"
