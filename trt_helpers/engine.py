"""From a plan to an engine, through a file or not. Lesson 1 writes each of these out by hand first."""

from __future__ import annotations

from pathlib import Path

from .errors import TensorRTError, recognised
from .files import read_bytes, written_whole
from .lanes import lane, trt
from .log import collected, first_error, logger


def save_plan(plan: trt.IHostMemory, path: str | Path) -> Path:
    """Write a plan to disk, all of it or nothing: a crash half-way leaves the old file whole.

    A plan carries the versions that it was built with: TensorRT's in its own header, and in the reference lane
    also those of this package, with a checksum over the whole file.

    Raises:
        TensorRTError: the plan is None, because its build failed and nobody looked.
    """
    if plan is None:
        raise TensorRTError("build_failed", _builders_words())
    path = Path(path)
    with written_whole(path) as unfinished:
        unfinished.write_bytes(memoryview(plan).cast("B"))
    return path


def load_engine(plan: str | Path | bytes | trt.IHostMemory, *, log: trt.ILogger | None = None) -> trt.ICudaEngine:
    """Deserialise a plan, from a file or from memory.

    Parameters:
        plan: a path, or the plan's bytes.
        log: the logger for the runtime; default: ``trt_helpers.logger``.

    Raises:
        TensorRTError: no such file, or TensorRT returned None: foreign, truncated, edited, or built for another
            version or GPU. Nothing of the plan has run.
    """
    log = log or logger
    return deserialised(trt.Runtime(log), plan, log)


def deserialised(
    runtime: trt.Runtime, plan: str | Path | bytes | trt.IHostMemory, log: trt.ILogger = logger
) -> trt.ICudaEngine:
    """As ``load_engine``, with a runtime that is there and its logger."""
    if plan is None:
        raise TensorRTError("build_failed", _builders_words())
    name, data = "The plan", plan
    if isinstance(plan, str | Path):
        name, data = Path(plan).name, read_bytes(Path(plan), "plan_missing", "plan_unreadable", plan=str(plan))
    with collected(log) as messages:
        engine = runtime.deserialize_cuda_engine(data)
    if engine is None:
        raise _plan_error(name, data, first_error(messages))
    return engine


def _builders_words() -> str:
    """Why the last build failed, if that was the last thing that failed."""
    return logger.last_error if "buildSerializedNetwork" in logger.last_error else ""


def _plan_error(name: str, data: bytes | trt.IHostMemory, words: str) -> TensorRTError:
    """Say what is wrong with a plan, from TensorRT's line and the file's first bytes."""
    damage = words.partition("blobSize failed. ")[2].removesuffix(")")
    facts = {
        "lane": lane.name,
        "what": _what_is_it(bytes(memoryview(data).cast("B")[:4])),
        "reason": damage or "its length is not the one in its header.",
        "found": words.partition("has format ")[2].partition(",")[0],
        "expected": words.partition("reads format ")[2].partition(".")[0],
    }
    return recognised(words, "plan_refused", plan=name, **facts)


def _what_is_it(first: bytes) -> str:
    """What a file is by its first four bytes."""
    if first[:1] == b"\x08":  # the field ir_version, which every exporter writes first
        return "an ONNX file"
    kinds = {b"ftrt": "a plan of TensorRT", b"vtrt": "a plan of TensorRT-RTX", b"PK\x03\x04": "a zip file"}
    return kinds.get(first, "not a plan")
