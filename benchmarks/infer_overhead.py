"""How much `trt_helpers.infer` costs on top of ONNX Runtime itself.

    python benchmarks/infer_overhead.py [--repeat 200]

Both sides run the same ONNX Runtime session, the one inside the engine of the reference lane. "bare" is the least
that ONNX Runtime can be asked to do: inputs and outputs bound once, beforehand, then only `run_with_iobinding`.
`infer` checks the inputs, sets the shapes, allocates (or checks) the outputs, binds, and runs on a stream's thread.
The two take turns, in a new random order each time, so that a busy machine slows down both.

Goals: 1 x 16 tokens below 10 % or 0.5 ms; 8 x 128 tokens with reused outputs below 1 %.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import onnxruntime as ort
import torch

import trt_helpers as th
from trt_helpers import trt
from trt_helpers.decoding.model import INPUTS

WARM_UP = 5


def requests(batch: int, sequence: int) -> dict[str, torch.Tensor]:
    """Inputs of that size; which words they are does not change the time."""
    ids = torch.randint(1000, 20_000, (batch, sequence), generator=torch.Generator().manual_seed(0))
    ones = torch.ones_like(ids)
    return dict(zip(INPUTS, (ids, torch.zeros_like(ids), ones), strict=True))


def bare_loop(
    session: ort.InferenceSession, inputs: dict[str, torch.Tensor], outputs: dict[str, torch.Tensor]
) -> Callable[[], None]:
    """ONNX Runtime alone, bound once."""
    binding = session.io_binding()
    for name, tensor in inputs.items():
        binding.bind_input(name, "cpu", 0, "int64", tuple(tensor.shape), tensor.data_ptr())
    for name, tensor in outputs.items():
        binding.bind_output(name, "cpu", 0, "float32", tuple(tensor.shape), tensor.data_ptr())
    return lambda: session.run_with_iobinding(binding)


def interleaved(sides: dict[str, Callable[[], object]], repeat: int) -> dict[str, list[float]]:
    """Milliseconds of each side, taken in turns."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    names = list(sides)
    for turn in range(WARM_UP + repeat):
        random.shuffle(names)
        for name in names:
            start = time.perf_counter()
            sides[name]()
            if turn >= WARM_UP:
                times[name].append(1000 * (time.perf_counter() - start))
    return times


def measure(context: trt.IExecutionContext, batch: int, sequence: int, reuse: bool, repeat: int) -> str:
    """One row of the table."""
    inputs = requests(batch, sequence)
    th.set_input_shapes(context, inputs)
    outputs = th.allocate_outputs(context)
    session = context.engine._model.sessions._session(0)  # the same session on both sides: its threads, its weights
    times = interleaved(
        {
            "bare": bare_loop(session, inputs, outputs),
            "infer": lambda: th.infer(context, inputs, outputs if reuse else None),
        },
        repeat,
    )
    bare, infer = (statistics.median(times[name]) for name in ("bare", "infer"))
    # The same turn's two times share what else the machine was doing: their difference varies less than they do.
    extras = [b - a for a, b in zip(times["bare"], times["infer"], strict=True)]
    low, extra, high = statistics.quantiles(extras, n=4)
    what = f"{batch} x {sequence}, {'reused' if reuse else 'fresh'} outputs"
    spread = f"{100 * low / bare:+.1f} .. {100 * high / bare:+.1f} %"
    return f"{what:<24} {bare:9.2f} {infer:9.2f} {extra:+9.3f} {100 * extra / bare:+8.1f} % {spread:>20}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--repeat", type=int, default=200, help="turns of the small request; a tenth of it for the large"
    )
    repeat = parser.parse_args().repeat
    if th.lane.name != "reference" or th.device.type != "cpu":
        sys.exit("This benchmark is about the reference lane on the CPU: set TRT_HELPERS_BACKEND=reference.")
    profile = th.Profile.same(INPUTS, (1, 4), (1, 16), (8, 128))
    plan = th.build_plan(th.export_onnx(th.load_masked_lm()), profile, progress=False)
    context = th.load_engine(plan).create_execution_context()
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    print(f"{platform.system()} {platform.machine()}, {cores} cores, load {load:.1f} at the start")
    print(f"Python {platform.python_version()}, ONNX Runtime {ort.__version__}, PyTorch {torch.__version__}")
    print(f"\n{'batch x tokens':<24} {'bare ms':>9} {'infer ms':>9} {'extra ms':>9} {'extra':>10} {'middle half':>20}")
    print(measure(context, 1, 16, reuse=False, repeat=repeat))
    print(measure(context, 1, 16, reuse=True, repeat=repeat))
    print(measure(context, 8, 128, reuse=True, repeat=max(10, repeat // 10)))


if __name__ == "__main__":
    main()
