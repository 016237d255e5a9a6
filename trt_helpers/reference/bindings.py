"""What the reference classes share with NVIDIA's Python bindings: argument checks, ``Dims``, missing members."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence

import tensorrt_rtx as rtx

MAX_DIMS = rtx.Dims.MAX_DIMS
_MODULE = "tensorrt_rtx_bindings.tensorrt_rtx"

# A C++ size_t: an address, a stream, an event. Where a method says plain ``int`` the C++ type is int32.
Handle = int


class InvalidDims(rtx.Dims):
    """What TensorRT returns for a shape it does not know: a ``Dims`` with -1 dimensions.

    It has no length (``ValueError``), no elements (``IndexError``) and equals nothing. Contract: A.6, 8.
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


def dims_text(shape: Sequence[int]) -> str:
    """A shape as TensorRT's log writes it: ``[9,4]``."""
    return "[" + ",".join(str(d) for d in shape) + "]"


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
        stands_in = isinstance(value, Reference) and type(value).__name__ == name
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


def _nvidia_class(instance: object, member: str) -> type | None:
    """The class of the bindings that ``instance`` stands for, if it has this member."""
    for cls in type(instance).__mro__:
        real = getattr(rtx, cls.__name__, None)
        if real is not None and hasattr(real, member):
            return real
    return None


def signatures(instance: object, name: str) -> str:
    """A method's signatures, numbered, from NVIDIA's docstring."""
    real = getattr(_nvidia_class(instance, name), name, None)
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


class Setting:
    """A member that may be set and read back, and changes nothing here: ONNX Runtime has nothing behind it."""

    def __init__(self, annotation: str, default: object, doc: str) -> None:
        self._convert, self._default, self.__doc__ = converter(annotation), default, doc

    def __set_name__(self, owner: type, name: str) -> None:
        self._name, self._slot = name, f"_setting_{name}"

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


def setter_value(instance: object, annotation: str, value: object) -> object:
    """The converted value for a hand-written property setter."""
    try:
        return converter(annotation)(value)
    except (TypeError, OverflowError):
        raise type_error(instance, "", (value,)) from None


class Reference:
    """Base of all stand-ins: like the bindings' classes they have the members they have, and no others."""

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
        if not name.startswith("_") and _nvidia_class(self, name):
            raise AttributeError(f"{interface}.{name} is not in the reference lane: it needs TensorRT on a GPU")
        raise AttributeError(f"'{_MODULE}.{interface}' object has no attribute '{name}'")


class NotConstructible(Reference):
    """A class that only TensorRT hands out, as the bindings have it."""

    def __init__(self) -> None:
        raise TypeError(f"{_MODULE}.{type(self).__name__}: No constructor defined!")


def _nothing(_: object) -> None:
    """What ``__del__`` does. NVIDIA's also warns that it is deprecated."""
