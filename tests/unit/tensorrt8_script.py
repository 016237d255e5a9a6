"""A runtime script as people wrote it for TensorRT 8: PyTorch for memory, no pycuda, an engine file.

    python tensorrt8_script.py ENGINE_FILE OUTPUT_FILE

The engine has three int64 inputs and the output "logits". It runs the last profile with execute_async_v2 and the first
with execute_v2, and saves both results.
"""

import sys

import numpy as np
import tensorrt as trt
import torch

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
stream_handle = torch.cuda.current_stream().cuda_stream if device.type == "cuda" else 0

logger = trt.Logger(trt.Logger.ERROR)
runtime = trt.Runtime(logger)
with open(sys.argv[1], "rb") as f:
    engine = runtime.deserialize_cuda_engine(f.read())
assert engine is not None
assert not engine.has_implicit_batch_dimension
assert engine.max_batch_size == 1
assert len(engine) == engine.num_bindings

per_profile = engine.num_bindings // engine.num_optimization_profiles
for index, binding in enumerate(engine):
    kind = "input " if engine.binding_is_input(binding) else "output"
    dtype = trt.nptype(engine.get_binding_dtype(index))
    print(index, kind, binding, dtype.__name__, tuple(engine.get_binding_shape(index)))
    assert engine[binding] == index
    assert engine.get_binding_index(engine.get_binding_name(index)) == index


def run(context, profile_index, batch, asynchronous):
    start = profile_index * per_profile
    context.active_optimization_profile = profile_index
    bindings, tensors = [0] * start, []
    for index in range(start, start + per_profile):
        if engine.binding_is_input(index):
            smallest, _, largest = engine.get_profile_shape(profile_index, index)
            shape = (batch, largest[1])
            assert smallest[0] <= batch <= largest[0]
            assert context.set_binding_shape(index, shape)
            fill = torch.arange(batch * largest[1]).reshape(shape) % 5 if index == start else torch.ones(shape)
        else:
            assert context.all_binding_shapes_specified
            fill = torch.zeros(tuple(context.get_binding_shape(index)))
        dtype = torch.from_numpy(np.empty(0, trt.nptype(engine.get_binding_dtype(index)))).dtype
        tensors.append(fill.to(device=device, dtype=dtype).contiguous())
        bindings.append(tensors[-1].data_ptr())
    if asynchronous:
        assert context.execute_async_v2(bindings=bindings, stream_handle=stream_handle)
        if device.type == "cuda":
            torch.cuda.synchronize()
    else:
        assert context.execute_v2(bindings)
    return tensors[0].cpu(), tensors[-1].cpu()


context = engine.create_execution_context()
last = engine.num_optimization_profiles - 1
torch.save({"async": run(context, last, 3, True), "sync": run(context, 0, 1, False)}, sys.argv[2])
