"""Ctrl-C at any line of a request: what is in the queue keeps its tensors, and the context stays usable."""

import gc
import sys
import threading
import weakref
from linecache import getline
from pathlib import Path

import pytest
import torch

import trt_helpers as th
from trt_helpers import execution, legacy

if th.lane.name != "reference" or th.device.type != "cpu":
    pytest.skip("looks into the reference runtime's worker threads", allow_module_level=True)

from trt_helpers.reference import execution as work

# From here work gets into queues. The rest, argument checks above all, has many more lines and nothing to lose.
FILES = ("execution", "async_execution", "streams", "pipeline", "legacy/workflow", "legacy/context")
OURS = {
    str(Path(th.__file__).parent / f"{name}.py")
    for name in (*FILES, "reference/execution", "cpu_stream/streams", "cpu_stream/work")
}


class Watch:
    """Tells of each execution, when it runs, whether the tensors behind its addresses are still there."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._bound: dict[int, weakref.ref] = {}
        self.unwound = threading.Event()
        self.runs: list[bool] = []
        bind, run = execution.set_addresses, work._run
        patch.setattr(execution, "set_addresses", lambda ctx, tensors: self._note(tensors) or bind(ctx, tensors))
        patch.setattr(legacy.workflow, "get_output_tensors", self.noted(legacy.workflow.get_output_tensors))
        patch.setattr(work, "_run", lambda request: self._look(request) or run(request))

    def _note(self, tensors) -> None:
        self._bound |= {tensor.data_ptr(): weakref.ref(tensor) for tensor in tensors.values()}

    def noted(self, make):
        """The same function, with what it makes noted."""

        def making(*args):
            made = make(*args)
            self._note(made)
            return made

        return making

    def _look(self, request) -> None:
        self.unwound.wait(0.02)  # longer waits only whoever is waiting for this work, and so holds its tensors
        owners = [self._bound.get(address) for address in request.addresses.values()]
        self.runs.append(all(owner is None or owner() is not None for owner in owners))
        if not self.runs[-1]:
            request.addresses.clear()  # a KeyError is kinder than what would be written


def interrupted_at(line: int, request) -> bool:
    """Call ``request`` and interrupt it at the n-th line of ours that it comes to; whether it got so far."""
    left = line

    def trace(frame, event, _):
        nonlocal left
        if frame.f_code.co_filename not in OURS:
            return None
        # Tracers see a with line once more when its block ends, where Python itself lets no signal in.
        if event == "line" and not getline(frame.f_code.co_filename, frame.f_lineno).lstrip().startswith("with "):
            left -= 1
            if left == 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        request()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(None)
    return False


def fresh_inputs() -> dict[str, torch.Tensor]:
    return {name: torch.rand(3, 5) for name in ("x", "w")}


def infer(context, new):
    return lambda: th.infer(context, new())


def infer_async(context, new):
    return lambda: th.infer_async(context, new())


def in_a_pipeline(context, new):
    pipeline = th.Pipeline(context.engine)
    return lambda: pipeline.submit(new())


def infer_tensorrt(context, new):
    view = legacy.ICudaEngine(context.engine, th.logger).create_execution_context()
    return lambda: legacy.infer_tensorrt(view, new(), [0, 1], [2])


@pytest.fixture(autouse=True)
def quick_collections():
    """What is there now is not looked at by every ``gc.collect``."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("way", [infer, infer_async, in_a_pipeline, infer_tensorrt])
def test_queued_work_keeps_its_tensors_wherever_the_caller_is_interrupted(adder_engine, way, monkeypatch):
    context = adder_engine.create_execution_context()
    watch = Watch(monkeypatch)
    request = way(context, watch.noted(fresh_inputs))
    request()
    line = 1
    while interrupted_at(line, request):
        gc.collect()
        watch.unwound.set()
        th.streams.synchronize_all()
        watch.unwound.clear()
        line += 1
    assert all(watch.runs), f"freed too early in {watch.runs.count(False)} of {len(watch.runs)}"
    assert line > 30 and watch.runs, "it was never interrupted"
    good, results = fresh_inputs(), []
    another = threading.Thread(target=lambda: results.append(th.infer(context, good)["y"]))
    another.start()
    another.join()
    torch.testing.assert_close(results, [2 * good["x"] + good["w"]])
