"""Many sentences, many workers, on Ray Data. Lesson 8. Needs the extra ``scale``."""


def __getattr__(name: str) -> object:
    """``decode_dataset``, at its first use."""
    if name != "decode_dataset":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .dataset import decode_dataset

    return decode_dataset
