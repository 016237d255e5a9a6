"""Code that nobody here wrote: Polygraphy's ``TrtRunner``, NVIDIA's own user of the API, on the reference runtime.

Inside these tests Polygraphy finds our namespace where it looks for TensorRT-RTX. On a machine without CUDA it also
gets a stand-in for its small wrapper of the CUDA runtime (allocate, copy, streams); its runner is untouched. On a
CUDA machine nothing but the namespace is replaced.
"""

import ctypes
import sys

import numpy as np
import pytest
import torch

from tests.contract.support import LARGE, RELU, RESHAPE, RESHAPE_PROFILE, RESHAPE_VALUES, SMALL, engine, nonzero_engine
from trt_helpers import Stream, device, lane, trt

pytest.importorskip("polygraphy", reason="polygraphy is one of the development packages")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(lane.name != "reference", reason="the reference lane")]

# Everything that the runner touches; a new release that needs more has to be looked at.
TOUCHED = {
    "ICudaEngine": {
        "create_execution_context",
        "get_aliased_input_tensor",
        "get_device_memory_size_for_profile_v2",
        "get_tensor_dtype",
        "get_tensor_format",
        "get_tensor_mode",
        "get_tensor_name",
        "get_tensor_shape",
        "is_shape_inference_io",
        "num_io_tensors",
    },
    "IExecutionContext": {
        "active_optimization_profile",
        "engine",
        "execute_async_v3",
        "get_tensor_address",
        "get_tensor_shape",
        "set_all_tensors_debug_state",
        "set_debug_listener",
        "set_device_memory",
        "set_input_shape",
        "set_optimization_profile_async",
        "set_output_allocator",
        "set_tensor_address",
        "update_device_memory_size_for_shapes",
    },
}
touched: dict[str, set[str]] = {name: set() for name in TOUCHED}


class CpuInPlaceOfCuda:
    """What Polygraphy needs of the CUDA runtime, with CPU memory and CPU streams."""

    def __init__(self):
        self.streams, self.memory = {}, {}

    def create_stream(self):
        stream = Stream()
        self.streams[stream.handle] = stream
        return stream.handle

    def stream_synchronize(self, handle):
        self.streams[handle].synchronize()

    def destroy_stream(self, handle):
        del self.streams[handle]

    def malloc(self, nbytes):
        memory = torch.empty(nbytes + 512, dtype=torch.uint8)
        address = -(-memory.data_ptr() // 512) * 512
        self.memory[address] = memory
        return address

    def free(self, address):
        self.memory.pop(address, None)  # cudaFree(0) is fine

    def memcpy(self, dst, src, nbytes, kind, stream_ptr=None):
        copy = lambda: ctypes.memmove(dst, src, nbytes)  # noqa: E731
        if stream_ptr is None:
            copy()
        else:  # in the stream's order; the caller's arrays may go before it runs, as CUDA's pageable copies allow
            self.streams[stream_ptr].enqueue(copy)
            self.streams[stream_ptr].synchronize()


def remember(cls: type, monkeypatch) -> None:
    """Note the public members that are looked up on objects of this class from Polygraphy's files."""

    def look_up(self, name):
        caller = sys._getframe(1).f_code.co_filename
        if "/polygraphy/" in caller.replace("\\", "/") and not name.startswith("_"):
            touched[cls.__name__].add(name)
        return object.__getattribute__(self, name)

    monkeypatch.setattr(cls, "__getattribute__", look_up, raising=False)


@pytest.fixture(scope="module")
def TrtRunner():
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setitem(sys.modules, "tensorrt_rtx", trt)
        from polygraphy import config

        monkeypatch.setattr(config, "USE_TENSORRT_RTX", True)
        if device.type == "cpu":
            from polygraphy.cuda import cuda

            monkeypatch.setattr(cuda, "G_CUDA", CpuInPlaceOfCuda())
        from polygraphy.backend.trt import TrtRunner

        for cls in (trt.ICudaEngine, trt.IExecutionContext):
            remember(cls, monkeypatch)
        yield TrtRunner


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).standard_normal(shape, dtype=np.float32)


@pytest.mark.parametrize("strategy", [None, "static", "profile", "runtime"])
def test_inference_with_every_allocation_strategy(TrtRunner, strategy):
    with TrtRunner(engine(RELU, SMALL), allocation_strategy=strategy) as runner:
        for rows in (2, 5, 2, 8):
            x = numbers(rows, 4)
            assert np.array_equal(runner.infer({"x": x})["y"], np.maximum(x, 0))


def test_several_profiles(TrtRunner):
    with TrtRunner(engine(RELU, SMALL, LARGE)) as runner:
        for profile, rows in ((0, 8), (1, 8), (1, 30), (0, 1)):
            runner.set_profile(profile)
            x = numbers(rows, 4)
            assert np.array_equal(runner.infer({"x": x})["y"], np.maximum(x, 0))


def test_a_profile_from_the_start(TrtRunner):
    with TrtRunner(engine(RELU, SMALL, LARGE), optimization_profile=1) as runner:
        assert runner.context.active_optimization_profile == 1
        assert runner.infer({"x": numbers(20, 4)})["y"].shape == (20, 4)


def test_a_context_of_ones_own(TrtRunner):
    with TrtRunner(engine(RELU, SMALL).create_execution_context()) as runner:
        assert runner.infer({"x": numbers(3, 4)})["y"].shape == (3, 4)


def test_torch_tensors(TrtRunner):
    with TrtRunner(engine(RELU, SMALL)) as runner:
        x = torch.from_numpy(numbers(3, 4))
        assert torch.equal(torch.as_tensor(runner.infer({"x": x})["y"]), x.relu())


def test_metadata(TrtRunner):
    with TrtRunner(engine(RELU, SMALL)) as runner:
        meta = runner.get_input_metadata()["x"]
        assert tuple(meta.shape) == (-1, 4) and "float32" in str(meta.dtype)


def test_a_shape_input(TrtRunner):
    with TrtRunner(engine(RESHAPE, RESHAPE_PROFILE, values=RESHAPE_VALUES)) as runner:
        x = numbers(3, 4)
        for shape in ((2, 6), (6, 2), (12, 1)):
            y = runner.infer({"x": x, "s": np.array(shape, dtype=np.int64)})["y"]
            assert np.array_equal(y, x.reshape(shape))


def test_an_output_whose_size_depends_on_the_data(TrtRunner):
    with TrtRunner(nonzero_engine()) as runner:
        for rows in (1, 3, 8):
            x = np.round(numbers(rows, 4)).astype(np.float32)
            assert np.array_equal(runner.infer({"x": x})["y"], np.stack(x.nonzero()))


def test_a_wrong_shape_is_reported(TrtRunner):
    from polygraphy.exception import PolygraphyException

    with TrtRunner(engine(RELU, SMALL)) as runner, pytest.raises(PolygraphyException):
        runner.infer({"x": numbers(99, 4)}, check_inputs=False)


def test_what_it_touched():
    """Runs last: the list above is complete, and nothing in it is out of date."""
    assert touched == TOUCHED
