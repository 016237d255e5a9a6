"""Where our time goes: by step of the decoder, and by operator of its graph."""

from __future__ import annotations

import cProfile
import json
import pstats
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch

from . import rows

# Functions of trt_helpers that a step spends its time in.
STEPS = {
    "tokenise": ("bulk_tokenizer.py problems_and_ids",),
    "sort": ("buckets.py sorted_batches",),
    "fill the inputs": ("in_flight.py fill",),
    "run the engine": ("in_flight.py enqueue", "in_flight.py results"),
    "ids to words": ("bulk_tokenizer.py candidates", "decoder.py put"),
}


def by_step(decoder: object, sentences: list[str]) -> dict[str, float]:
    """The share of the time that each step takes."""
    profile, start = cProfile.Profile(), time.perf_counter()
    profile.runcall(decoder, sentences, progress=False)
    whole = time.perf_counter() - start
    seconds = {
        f"{Path(file).name} {function}": cumulative
        for (file, _, function), (_, _, _, cumulative, _) in pstats.Stats(profile).stats.items()
        if Path(file).parent.name == "trt_helpers"
    }
    shares = {step: sum(seconds.get(name, 0.0) for name in names) / whole for step, names in STEPS.items()}
    return {**shares, "everything else": 1 - sum(shares.values())}


def inputs_of(batch: int, sequence: int) -> dict[str, np.ndarray]:
    """A batch of the decoder's graph; which words they are does not change the time."""
    ids = np.random.default_rng(0).integers(1000, 20_000, (batch, sequence))
    places = np.stack([np.arange(batch), np.full(batch, sequence // 2)], axis=1)
    values = (ids, np.zeros_like(ids), np.ones_like(ids), places)
    return dict(zip((*rows.INPUTS, rows.POSITIONS), values, strict=True))


def by_operator(batch: int, sequence: int, runs: int = 8) -> dict[str, float]:
    """The share of the time that each kind of operator takes on the CPU, on one thread, the largest first."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # waiting for another thread would count as the operator's time
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = ort.InferenceSession(rows.files()["decoder"], options, providers=["CPUExecutionProvider"])
        for _ in range(runs):
            session.run(None, inputs_of(batch, sequence))
        events = json.loads(Path(session.end_profiling()).read_text())
    times: dict[str, list[float]] = {}
    kinds: dict[str, str] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            times.setdefault(event["name"], []).append(event["dur"])
            kinds[event["name"]] = event["args"]["op_name"]
    total = Counter()
    for name, durations in times.items():
        total[kinds[name]] += statistics.median(durations)
    whole = sum(total.values())
    return {kind: duration / whole for kind, duration in total.most_common()}


def engine_of(decoder: object, batch: int, sequence: int) -> object:
    """A function that runs our engine on such a batch, buffers reused."""
    import trt_helpers as th
    from trt_helpers.decoding.buckets import bucket_for

    inputs = {name: torch.from_numpy(value).to(th.device) for name, value in inputs_of(batch, sequence).items()}
    context = decoder._context(bucket_for(decoder._buckets, sequence))
    th.set_input_shapes(context, inputs)
    outputs = th.allocate_outputs(context)
    return lambda: th.infer(context, inputs, outputs)
