"""``python -m trt_helpers fill-mask``: one sentence as a table, or files through ``decode_dataset``."""

from __future__ import annotations

import argparse
import os
import sys

from tqdm.auto import tqdm

from ..building.progress import is_wanted
from ..decoding.answers import Filled
from ..decoding.decoder import MaskedWordDecoder
from ..errors import TensorRTError
from .reports import WHAT_STAYS, Summary

INTERRUPTED = 130  # 128 and the number of SIGINT: what a shell reports of a program that Ctrl-C ended


def main(chosen: argparse.Namespace) -> int:
    """Run what the command line asks for; returns the exit status."""
    try:
        if "[MASK]" in chosen.input and not os.path.exists(chosen.input):
            return _sentence(chosen)
        return _files(chosen)
    except (ConnectionError, FileNotFoundError, ImportError, TensorRTError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1


def _sentence(chosen: argparse.Namespace) -> int:
    (result,) = MaskedWordDecoder.from_pretrained(chosen.model)(chosen.input, top_k=chosen.top_k)
    print(table(result))
    return 1 if result.problem else 0


def table(result: Filled) -> str:
    """The words for each mask with their probabilities, a line each; or what is wrong with the sentence."""
    if result.problem:
        return str(result)
    lines = [result.sentence]
    for number, candidates in enumerate(result.candidates, start=1):
        lines.append(f"[MASK] {number}" if len(result.candidates) > 1 else "[MASK]")
        lines += [f"  {c.probability:6.1%}  {c.word}" for c in candidates]
    return "\n".join(lines)


def _files(chosen: argparse.Namespace) -> int:
    if not chosen.out:
        raise ValueError(
            f"{chosen.input!r} has no [MASK], so it should be files; say with --out where their answers go."
        )
    print(f"Starting {chosen.workers} worker{'s'[: chosen.workers != 1]}: about 20 s before rows flow.", flush=True)
    try:
        print(_decoded(chosen))
    except KeyboardInterrupt:
        print(f"Interrupted. {WHAT_STAYS.format(chosen.out)}", file=sys.stderr)
        return INTERRUPTED
    return 0


def _decoded(chosen: argparse.Namespace) -> Summary:
    from . import decode_dataset  # a sentence alone needs no Ray

    names = ("workers", "gpus_per_worker", "batch_size", "top_k", "column", "id_column", "model")
    with tqdm(unit=" rows", disable=not is_wanted()) as bar:
        options = {name: getattr(chosen, name) for name in names}
        return decode_dataset(chosen.input, chosen.out, on_part=lambda part: bar.update(part.rows), **options)
