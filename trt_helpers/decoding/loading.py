"""What Hugging Face's loaders raise and print: two kinds of error are left, and they say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def errors_that_help(source: str | Path) -> Iterator[None]:
    """Around whatever loads ``source``, a folder or a name on the Hub. Inside, transformers prints nothing.

    Raises:
        FileNotFoundError: there is no such folder, a file is missing in it, or neither the Hub nor its cache has it.
        ValueError: what is there is of another kind, or cannot be read.
    """
    from safetensors import SafetensorError

    folder = Path(source)
    if not folder.exists() and (isinstance(source, Path) or folder.is_absolute()):
        raise FileNotFoundError(f"There is no folder '{source}'.")
    try:
        with _quiet_transformers():
            yield
    except OSError as error:
        if folder.is_dir():
            raise FileNotFoundError(f"The folder '{source}' holds no whole model: {_first_line(error)}") from None
        raise FileNotFoundError(
            f"'{source}' is neither a folder with a model nor in the Hugging Face cache, and the Hub was not reached. "
            "Without a network use the shipped model, load_masked_lm(); with one, check the name and "
            "the variable HF_HUB_OFFLINE."
        ) from None
    except ValueError as error:
        raise ValueError(f"'{source}' is not a masked language model: {_first_line(error)}") from None
    except SafetensorError as error:
        raise ValueError(f"The weights of '{source}' cannot be read: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """No progress bars for reading one small file, and no report where an error follows."""
    from transformers.utils import logging as transformers_logging

    shown, level = transformers_logging.is_progress_bar_enabled(), transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if shown:
            transformers_logging.enable_progress_bar()
