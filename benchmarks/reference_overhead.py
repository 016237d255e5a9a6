"""What the reference runtime adds to bare ONNX Runtime on the same session, and what a context costs.

python benchmarks/reference_overhead.py model.onnx

Compares, for the course's masked language model, ``set_input_shape`` once, then ``execute_async_v3`` and
``synchronize`` on reused tensors, with ``run_with_iobinding`` on the same session and the same addresses. Both run in
turns, so that whatever else the machine does falls on both. Prints medians; asserts nothing.
"""

import statistics
import sys
import time
from pathlib import Path

import psutil
import torch

import trt_helpers as th

NAMES = ("input_ids", "token_type_ids", "attention_mask")
PROFILE = th.Profile({name: ((1, 8), (1, 16), (8, 128)) for name in NAMES})


def bare(engine, tensors: dict[str, torch.Tensor]):
    """A function that runs ONNX Runtime's IO binding and nothing else."""
    session, specs = engine._model.sessions._session(0), engine._model.specs
    binding = session.io_binding()
    for name, tensor in tensors.items():
        bind = binding.bind_input if name in engine._model.inputs else binding.bind_output
        bind(name, "cpu", 0, specs[name].onnx_type, tuple(tensor.shape), tensor.data_ptr())
    return lambda: session.run_with_iobinding(binding)


def through_context(engine, tensors: dict[str, torch.Tensor]):
    """A function that runs the same request through an execution context."""
    context, stream = engine.create_execution_context(), th.Stream()
    for name, tensor in tensors.items():
        if name in engine._model.inputs:
            assert context.set_input_shape(name, tuple(tensor.shape))
        assert context.set_tensor_address(name, tensor.data_ptr())

    def run() -> None:
        assert context.execute_async_v3(stream.handle)
        stream.synchronize()

    return run


def median_difference(first, second, rounds: int) -> tuple[float, float]:
    """Median milliseconds of ``first``, and the median of what ``second`` takes longer, run in turns."""
    for _ in range(3):
        first(), second()
    times, differences = [], []
    for step in range(rounds):
        pair = {}
        for function in (first, second) if step % 2 else (second, first):
            start = time.perf_counter()
            function()
            pair[function] = (time.perf_counter() - start) * 1000
        times.append(pair[first])
        differences.append(pair[second] - pair[first])
    return statistics.median(times), statistics.median(differences)


def tensors_for(engine, batch: int, sequence: int) -> dict[str, torch.Tensor]:
    """Inputs and outputs of one request."""
    made = {name: torch.ones((batch, sequence), dtype=torch.int64) for name in NAMES}
    vocabulary = engine.get_tensor_shape("logits")[2]
    return made | {"logits": torch.empty((batch, sequence, vocabulary))}


def main(path: str) -> None:
    """Measure and print."""
    with th.logger.quietly():
        plan = th.build_plan(Path(path), [PROFILE], progress=False)
        engine = th.trt.Runtime(th.logger).deserialize_cuda_engine(plan)
    del plan
    for batch, sequence, rounds in ((1, 16, 200), (8, 128, 15)):
        tensors = tensors_for(engine, batch, sequence)
        plain, more = median_difference(bare(engine, tensors), through_context(engine, tensors), rounds)
        added = f"{more:+.3f} ms through a context ({more / plain:+.1%})"
        print(f"{batch} x {sequence} tokens: {plain:8.2f} ms bare, {added}")
    before = psutil.Process().memory_info().rss
    contexts = [engine.create_execution_context() for _ in range(100)]
    grown = psutil.Process().memory_info().rss - before
    weights = engine.get_engine_stat() / 2**20
    print(f"{len(contexts)} more contexts: {grown / 2**20:.1f} MiB; the weights are {weights:.0f} MiB")


if __name__ == "__main__":
    main(sys.argv[1])
