"""How arguments are converted: as pybind11 does it for NVIDIA's bindings, with its own words for what does not fit."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence

import numpy as np
import tensorrt_rtx as rtx

MAX_DIMS = rtx.Dims.MAX_DIMS

# A C++ size_t: an address, a stream, an event. Where a method says plain ``int`` the C++ type is int32.
Handle = int


# ---- conversions, as pybind11 does them; each raises TypeError or OverflowError --------------------------


def _as_str(value: object) -> str:
    """A C++ string takes bytes too."""
    if isinstance(value, bytes | bytearray):
        return value.decode()
    if not isinstance(value, str):
        raise TypeError
    return value


def _as_c_string(value: object) -> str | None:
    """A ``char const*``, which None is one of."""
    return None if value is None else _as_str(value)


def _as_int(value: object, bits: int = 32) -> int:
    """Any number but a float: ``numpy.int64`` and one-element tensors count, ``None`` and strings do not."""
    is_number = hasattr(value, "__index__") or hasattr(value, "__int__")
    if isinstance(value, float | str | bytes) or not is_number:
        raise TypeError
    try:
        number = int(value)
    except Exception:  # a tensor with several elements raises errors of its own
        raise TypeError from None
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise OverflowError
    return number


def _as_handle(value: object) -> int:
    number = _as_int(value, 128)
    if not 0 <= number < 2**64:
        raise OverflowError
    return number


def _as_handles(value: object) -> list[int]:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise TypeError
    return [_as_handle(item) for item in value]


def _as_bool(value: object) -> bool:
    if isinstance(value, str | bytes) or not hasattr(type(value), "__bool__") and value is not None:
        raise TypeError
    return bool(value)


def _as_float(value: object) -> float:
    if isinstance(value, str | bytes):
        raise TypeError
    return float(value)


def _instance_of(name: str) -> Callable:
    """An object of one of the bindings' classes, or None: pybind11 passes None as a null pointer."""
    wanted = getattr(rtx, name)

    def convert(value: object) -> object:
        stands_in = type(value).__name__ == name and type(value).__module__.startswith(f"{__package__}.")
        if value is not None and not stands_in and not isinstance(value, wanted):
            raise TypeError
        return value

    return convert


_CONVERTERS = {
    "str": _as_str,
    "CString": _as_c_string,
    "int": _as_int,
    "Handle": _as_handle,
    "Sequence[Handle]": _as_handles,
    "bool": _as_bool,
    "float": _as_float,
}


def converter(annotation: str) -> Callable:
    """The conversion for an annotation: a row of the table above, or ``rtx.Name``.

    ``| None`` behind it says that the argument may be left out. Given, None is a null pointer for the bindings' classes
    and a TypeError for all others.

    Raises:
        TypeError: no such row: arguments that nobody checks must not come into being.
    """
    kind = annotation.removesuffix(" | None") if isinstance(annotation, str) else annotation
    if kind in _CONVERTERS:
        return _CONVERTERS[kind]
    if isinstance(kind, str) and kind.startswith("rtx."):
        return _instance_of(kind.removeprefix("rtx."))
    raise TypeError(
        f"no conversion is known for the annotation {annotation!r}, only for {', '.join(_CONVERTERS)}, rtx.*"
    )


# ---- members --------------------------------------------------------------------------------------------------


def nvidia_class(instance: object, member: str) -> type | None:
    """The class of the bindings that ``instance`` stands for, if it has this member."""
    for cls in type(instance).__mro__:
        real = getattr(rtx, cls.__name__, None)
        if real is not None and hasattr(real, member):
            return real
    return None


def signatures(instance: object, name: str) -> str:
    """A method's signatures, numbered, from NVIDIA's docstring."""
    real = getattr(nvidia_class(instance, name), name, None)
    lines = [line for line in (getattr(real, "__doc__", "") or "").splitlines() if f"{name}(self" in line]
    found = [line.lstrip("0123456789. ").removeprefix(name) for line in lines]
    return "\n".join(f"    {i}. {text}" for i, text in enumerate(found, 1))


def type_error(instance: object, name: str, args: tuple, kwargs: dict | None = None) -> TypeError:
    """The bindings' own words for arguments of the wrong type."""
    invoked = [repr(a) for a in (instance, *args)] + [f"{k}={v!r}" for k, v in (kwargs or {}).items()]
    return TypeError(
        f"{name}(): incompatible function arguments. The following argument types are supported:\n"
        f"{signatures(instance, name)}\n\nInvoked with: {', '.join(invoked)}"
    )


def checked(method: Callable) -> Callable:
    """Convert the arguments by their annotations the way the bindings do; what does not fit is a ``TypeError``."""
    signature = inspect.signature(method)
    parameters = list(signature.parameters.values())[1:]
    converters = {parameter.name: converter(parameter.annotation) for parameter in parameters}

    @functools.wraps(method)
    def wrapper(self, *args, **kwargs):
        try:
            if kwargs or len(args) != len(converters):
                given = signature.bind(self, *args, **kwargs)
                for name in given.arguments.keys() & converters.keys():  # what is left out has its default
                    given.arguments[name] = converters[name](given.arguments[name])
                given.apply_defaults()
                converted = given.args[1:]
            else:
                converted = [convert(value) for convert, value in zip(converters.values(), args, strict=True)]
        except (TypeError, OverflowError):
            raise type_error(self, method.__name__, args, kwargs) from None
        return method(self, *converted)

    return wrapper


def setter_value(instance: object, annotation: str, value: object) -> object:
    """The converted value for a hand-written property setter."""
    try:
        return converter(annotation)(value)
    except (TypeError, OverflowError):
        raise type_error(instance, "", (value,)) from None


def shape(instance: object, name: object, value: object) -> tuple[int, ...]:
    """The shape argument of ``set_input_shape`` as a tuple of ints, refused the way the bindings refuse it.

    Tuples and lists go through int32 one by one, ``Dims`` and other sequences as a whole. Contract: 3.

    Raises:
        TypeError: no sequence. RuntimeError: not integers, or more than 8.
    """
    is_shape = isinstance(value, Sequence | rtx.Dims | np.ndarray) and not isinstance(value, str | bytes)
    if not isinstance(name, str | bytes) or not is_shape:
        raise type_error(instance, "set_input_shape", (name, value))
    if len(value) > MAX_DIMS:
        raise RuntimeError("The number of input dims exceeds the maximum allowed number of dimensions")
    return tuple(_as_int32(size) for size in value)


def _as_int32(size: object) -> int:
    if not hasattr(size, "__index__") or not -(2**31) <= int(size) < 2**31:
        raise RuntimeError(f"Unable to cast Python instance of type {type(size)} to C++ type 'int'")
    return int(size)
