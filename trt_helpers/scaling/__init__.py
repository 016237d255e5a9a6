"""Many sentences, many workers, on Ray Data. Lesson 8. Needs the extra ``scale``."""

from .local_ray import MISSING


def __getattr__(name: str) -> object:
    """``decode_dataset``, at its first use.

    Raises:
        ImportError: the extra is not installed.
    """
    if name != "decode_dataset":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from .dataset import decode_dataset
    except ImportError as error:
        raise ImportError(f"{error}; {MISSING}") from None
    return decode_dataset
