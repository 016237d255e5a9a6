# %% [markdown]
# # 1 · Core concepts
#
# At the end a small BERT runs as a TensorRT engine and fills in the missing word of a sentence.
#
# **You learn** which object does what, from an ONNX model to a result: logger, builder, network, parser, config, plan,
# runtime, engine, execution context. Who owns what, who keeps whom alive, and what a plan is good for.<br>
# **You need** Python and some PyTorch. No GPU, no TensorRT.<br>
# **Time** 30 minutes.

# %% tags=["nbval-ignore-output"]
import torch

import trt_helpers as th
from trt_helpers import trt

# %xmode Minimal
th.show_lane()

# %% [markdown]
# The *lane* says who does the work on this machine. The builder is always NVIDIA's own. Where no GPU suits TensorRT,
# the runtime is a stand-in that behaves like TensorRT's, call by call, and never claims to be it. Everything below is
# TensorRT's own API: on a machine with TensorRT and its GPU, `import tensorrt as trt` would do just as well.
#
# ## A model to watch
#
# Before the BERT, a model that you can check in your head: it doubles its input. TensorRT reads ONNX, and ONNX has a
# text form:

# %%
import onnx.parser

doubler = onnx.parser.parse_model("""
    <ir_version: 10, opset_import: ["": 20]>
    doubler (float[rows, columns] x) => (float[rows, columns] y) { y = Add(x, x) }
""").SerializeToString()
type(doubler), len(doubler)

# %% [markdown]
# A hundred bytes. The sizes have names, `rows` and `columns`, instead of numbers: they are *dynamic*, known only when
# somebody sends a tensor.
#
# ## First a logger
#
# Builder, parser and runtime want to know where to put their messages. TensorRT's own `trt.Logger` writes from C++: in
# a notebook its lines land late in the cell, or in the server's terminal, and no code can read them. A logger in Python
# is short:


# %%
class ListLogger(trt.ILogger):
    def __init__(self):
        trt.ILogger.__init__(self)  # forgetting this line is a TypeError later
        self.lines = []

    def log(self, severity, msg):
        self.lines.append(f"{severity.name}: {msg}")


# %% [markdown]
# TensorRT keeps the first logger that it gets for the whole process. So the course makes one and uses it everywhere:
# `th.logger`, the same idea, which also prints warnings and errors into the cell (`trt_helpers/log.py`).
#
# ## From ONNX to a plan

# %%
log = th.logger
builder = trt.Builder(log)
network = builder.create_network()
parser = trt.OnnxParser(network, log)
network.num_inputs, network.num_layers, network.num_outputs

# %% [markdown]
# An empty network, and a parser that will fill it.

# %%
parsed = parser.parse(doubler)
parsed, network.num_inputs, network.num_layers, network.num_outputs

# %% [markdown]
# `True`: one input, one layer, one output. `parse` raises nothing if the model is bad, it only returns `False`. So we
# look at what it returns, always. What did it find?

# %%
x_in = network.get_input(0)
x_in.name, x_in.dtype, x_in.shape

# %% [markdown]
# -1 stands for a size known only at run time. How large may it become? Nobody has said. **Before you run the next
# cell:** what will the builder do?
#
# - **A.** raise an exception
# - **B.** return `None`
# - **C.** build for every size
#
# <details id="no-profile"><summary>Answer</summary>
#
# - **A.** TensorRT's Python API reports most failures in what it returns.
# - **B is right.** The reason is one line in the log.
# - **C.** It plans code and memory for a range.
#
# </details>

# %% tags=["lane-output"]
config = builder.create_builder_config()
plan = builder.build_serialized_network(network, config)
print(plan)

# %% [markdown]
# It refuses, without an exception. Whoever does not look reads `'NoneType' object has no attribute ...` three calls
# later.
#
# What is missing is an *optimization profile*: the smallest shape that will come, the likeliest, the largest.

# %%
profile = builder.create_optimization_profile()
profile.set_shape("x", min=(1, 4), opt=(4, 16), max=(8, 16))
config.add_optimization_profile(profile)

# %% [markdown]
# That is the profile's index, 0. (-1 would be the refusal.)

# %%
plan = builder.build_serialized_network(network, config)
plan is not None

# %% [markdown]
# This is the *plan*: the engine as a piece of memory, ready for a file. Here ends the builder's work, and usually also
# the machine's that built it.
#
# ## From the plan to a result
#
# Another machine, another day. It needs the plan and nothing of the above.

# %%
runtime = trt.Runtime(log)
engine = runtime.deserialize_cuda_engine(plan)
assert engine is not None, log.last_error
[engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]

# %% [markdown]
# The *engine* is the model: weights and code, fixed. It holds no request. For that it makes *execution contexts*:

# %%
context = engine.create_execution_context()
engine.get_tensor_shape("x"), context.get_tensor_shape("x"), context.get_tensor_shape("y")

# %% [markdown]
# Say what comes, and look again:

# %%
x = torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]], device=th.device)
accepted = context.set_input_shape("x", tuple(x.shape))
accepted, engine.get_tensor_shape("x"), context.get_tensor_shape("x"), context.get_tensor_shape("y")

# %% [markdown]
# The engine has not changed. The context knows the request now, and has worked out the output's shape for us. So we
# can allocate it. The context takes *addresses*, plain integers:

# %%
y = torch.empty(tuple(context.get_tensor_shape("y")), device=th.device)
context.set_tensor_address("x", x.data_ptr()), context.set_tensor_address("y", y.data_ptr())

# %% [markdown]
# Work is put on a *stream*, a queue. On a GPU `th.Stream()` is PyTorch's CUDA stream; without one it is a worker
# thread. TensorRT wants its handle, an integer too.

# %%
stream = th.Stream()
context.execute_async_v3(stream.handle)

# %% [markdown]
# `True` means *enqueued*, not *done*. Wait for the queue, then read:

# %%
stream.synchronize()
y.tolist()

# %% [markdown]
# Doubled. These are the objects, who makes whom, and who keeps whom alive:
#
# ![Left, on the building machine: OnnxParser fills an INetworkDefinition; the Builder turns it, with an IBuilderConfig
# and its optimization profiles, into a plan, which is bytes; then all four may go. Right, on the machine that runs it:
# a Runtime turns the plan into one ICudaEngine, which holds the weights; the engine makes any number of
# IExecutionContexts, each with shapes, tensor addresses and an active profile of its own; a context puts work on a
# stream. Every context keeps the engine alive, the engine the runtime, the runtime the logger. Nobody but you keeps
# your tensors alive.](images/01_objects.png)
#
# | object | what it holds | how long you need it |
# |---|---|---|
# | `Builder`, `INetworkDefinition`, `OnnxParser`, `IBuilderConfig` | the model being built | until the plan is there |
# | plan | the engine as bytes | keep the file |
# | `Runtime` | the logger | the engine keeps it |
# | `ICudaEngine` | weights; names, types and profiles of the I/O tensors | its contexts keep it |
# | `IExecutionContext` | one request: shapes, addresses, active profile | as long as you infer |
#
# ## Who keeps whom alive
#
# We throw everything away but the context, and clear `y`, so that the result must be new. **Before you run the next
# cell:** what will happen?
#
# - **A.** the execution is refused
# - **B.** `y` stays zero
# - **C.** `y` is twice `x` again
#
# <details id="only-the-context"><summary>Answer</summary>
#
# - **A.** `del` takes away our names. The context holds the engine.
# - **B.** The addresses are still those of `x` and `y`.
# - **C is right.** What a context needs, it keeps alive.
#
# </details>

# %%
del builder, network, parser, config, profile, plan, runtime, engine
_ = y.copy_(torch.zeros(2, 4))
assert context.execute_async_v3(stream.handle), log.last_error
stream.synchronize()
y.tolist()

# %% [markdown]
# In Python a context keeps its engine alive, the engine its runtime, the runtime its logger. (In C++ they do
# not.) The context even gives the engine back:

# %%
engine = context.engine
engine.num_io_tensors

# %% [markdown]
# One thing nobody keeps alive: your tensors. What did we give to the context?

# %%
address = context.get_tensor_address("y")
type(address).__name__, address == y.data_ptr()

# %% [markdown]
# A number. Had `y` been deleted, that number would point into memory that belongs to somebody else by now, and the
# result would be written there. So never bind a tensor without a name: `torch.empty(2, 4).data_ptr()` is gone at the
# end of the line.
#
# ## Two requests, one engine
#
# A second context shares the weights and has a request of its own:

# %%
second = engine.create_execution_context()
second.get_tensor_shape("x"), context.get_tensor_shape("x")

# %% [markdown]
# It knows nothing yet. **Before you run the next cell:** what comes if we execute it all the same?
#
# - **A.** an exception
# - **B.** `False`
# - **C.** `True`, with the first context's shapes
#
# <details id="nothing-set"><summary>Answer</summary>
#
# - **A.** Look at what is returned, once more.
# - **B is right.** Enqueueing was refused.
# - **C.** Contexts share weights, never a request.
#
# </details>

# %% tags=["lane-output"]
second.execute_async_v3(stream.handle)

# %% [markdown]
# The reason is in the log. The first context did not notice. (TensorRT for RTX wants contexts that run at the same time
# to use different profiles. Lesson 2 gives each its own.)
#
# ## What a plan is good for
#
# By hand the way from ONNX to an engine took a dozen calls, four of them with a result to check. The helpers make these
# calls and check each result; read them in `trt_helpers/building/plan.py` and `trt_helpers/engine.py`. `save_plan`
# writes a file whole or not at all:

# %%
import tempfile
from pathlib import Path

plan = th.build_plan(doubler, th.Profile(x=((1, 4), (4, 16), (8, 16))))
with tempfile.TemporaryDirectory() as folder:
    path = th.save_plan(plan, Path(folder) / "doubler.plan")
    engine = th.load_engine(path)
th.describe_engine(engine)

# %% [markdown]
# A plan is no exchange format, like ONNX. TensorRT ties it to its own version and to the GPU model; TensorRT for RTX
# to its own version. Neither reads the other's. Keep the ONNX file, build again after an upgrade. (Built as above, a
# plan of TensorRT for RTX does not run on a T4, whose compute capability is 7.5: the config has to ask for it.
# `th.build_plan` does, in `trt_helpers/building/targets.py`; never tried on a T4.) And what if a copy was cut short?

# %% tags=["lane-output"]
cut_short = bytes(plan)[:-100]
engine = trt.Runtime(log).deserialize_cuda_engine(cut_short)
print(engine)

# %% [markdown]
# A log line and `None` again. From here on we let the helper look for us:

# %% tags=["raises-exception", "lane-output"]
th.load_engine(cut_short)

# %% [markdown]
# Every helper that asks TensorRT for something raises a `TensorRTError` like this one: what is wrong, what to do, and
# TensorRT's own words.
#
# ## A real sentence
#
# The course's model is a small BERT, trained to fill in `[MASK]`. `export_onnx` is PyTorch's own exporter, with a name
# for each dynamic dimension (`trt_helpers/decoding/model.py`):

# %%
lm = th.load_masked_lm()
onnx_file = th.export_onnx(lm)
names = ["input_ids", "token_type_ids", "attention_mask"]
profile = th.Profile.same(names, min=(1, 4), opt=(1, 16), max=(8, 64))
engine = th.load_engine(th.build_plan(onnx_file, profile))
th.describe_engine(engine)

# %% [markdown]
# Batch and sequence are open, the vocabulary has 30,522 entries. Now the sentence, as tokens:

# %%
tokens = lm.tokenizer("Paris is the [MASK] of France.", return_tensors="pt")
words = lm.tokenizer.convert_ids_to_tokens(tokens["input_ids"][0])
position = words.index("[MASK]")
words, position

# %% [markdown]
# The same calls as for the doubler, for three inputs. This time we check each result:

# %%
context = engine.create_execution_context()
inputs = {name: tokens[name].to(th.device) for name in names}
for name, tensor in inputs.items():
    assert context.set_input_shape(name, tuple(tensor.shape)), log.last_error
    assert context.set_tensor_address(name, tensor.data_ptr()), log.last_error
context.get_tensor_shape("logits")

# %%
logits = torch.empty(tuple(context.get_tensor_shape("logits")), device=th.device)
assert context.set_tensor_address("logits", logits.data_ptr()), log.last_error
assert context.execute_async_v3(stream.handle), log.last_error
stream.synchronize()
best = logits[0, position].argmax().item()
lm.tokenizer.convert_ids_to_tokens(best)

# %% [markdown]
# The engine has read the sentence. Does it say what PyTorch says?

# %%
with torch.no_grad():
    expected = lm.model(**tokens).logits
difference = (logits.cpu() - expected).abs().max().item()
assert difference < 0.05, difference
f"largest logit {expected.max().item():.1f}, largest difference below 0.05"

# %% [markdown]
# Those are the calls that `th.infer` makes. It adds what no address can show to TensorRT: that the tensors have the
# right dtype, device and memory layout (`trt_helpers/execution.py`, `trt_helpers/binding.py`).

# %%
again = th.infer(context, inputs)["logits"]
bool((again == logits).all())

# %% [markdown]
# ## Your turn
#
# A check compares what you wrote with an independent answer and says what is wrong. Run each cell as often as you like.
# Start afresh: `make pristine LESSON=01` (your copy is kept).

# %%
from trt_helpers.course import practice

# %% [markdown]
# ### Exercise 1 · A profile (3 minutes)
#
# Write a profile for the doubler that accepts 1 to 32 rows of exactly 10 columns, and is tuned for 8 rows.
#
# <details><summary>Hint 1</summary>
#
# Three shapes: min, opt, max, as in `th.Profile(x=(min, opt, max))`.
#
# <details><summary>Hint 2</summary>
#
# A column count that may not vary is the same in all three.
#
# </details></details>

# %% tags=["exercise"]
# --- stub
my_profile = ...
# --- solution
my_profile = th.Profile(x=((1, 10), (8, 10), (32, 10)))
# --- check
practice.check_row_profile(doubler, my_profile)

# %% [markdown]
# ### Exercise 2 · An engine you have not seen (10 minutes)
#
# Write `run`: it gets an engine with one input and one output, and an input tensor, and returns the output tensor.
# Names, shapes and dtypes are the engine's. The check brings an engine of its own.
#
# <details><summary>Hint 1</summary>
#
# Names: `engine.get_tensor_name(i)`, the input first. The output's shape: ask the context after the input's shape is
# set.
#
# <details><summary>Hint 2</summary>
#
# The output's dtype: `th.to_torch_dtype(engine.get_tensor_dtype(name))`. And the result is there only after
# `synchronize()`.
#
# </details></details>


# %% tags=["exercise"]
# --- stub
def run(engine, x): ...
# --- solution
def run(engine, x):
    name_in, name_out = (engine.get_tensor_name(i) for i in range(2))
    context, stream = engine.create_execution_context(), th.Stream()
    assert context.set_input_shape(name_in, tuple(x.shape)), th.logger.last_error
    dtype = th.to_torch_dtype(engine.get_tensor_dtype(name_out))
    result = torch.empty(tuple(context.get_tensor_shape(name_out)), dtype=dtype, device=x.device)
    assert context.set_tensor_address(name_in, x.data_ptr())
    assert context.set_tensor_address(name_out, result.data_ptr())
    assert context.execute_async_v3(stream.handle), th.logger.last_error
    stream.synchronize()
    return result


# --- check


practice.check_run(run)

# %% [markdown]
# ## You can now
#
# - name the object that is responsible for each step from ONNX to a result,
# - build a plan, and notice when TensorRT has refused to,
# - load a plan, set shapes, bind addresses, execute, wait,
# - say what must stay alive: your tensors, until the work is done,
# - run several requests on one engine, each with its own context.
#
# **Do you remember?**
#
# <details><summary>1. What does <code>execute_async_v3</code> returning <code>True</code> promise?</summary>
# Only that the work was enqueued. The output is valid after the stream is synchronised.</details>
# <details><summary>2. An engine's shape says (-1, -1), the context's (2, 4). Which one do you allocate from?</summary>
# The context's. The engine's never changes; it is shared by all contexts.</details>
# <details><summary>3. A colleague sends you a plan built on another GPU. What do you ask for?</summary>
# The ONNX file. Plans are tied to TensorRT's version and, except with TensorRT for RTX, to the GPU model.</details>
#
# **Next:** what an engine says about its tensors, and which shapes it takes, in
# [lesson 2, bindings and profiles](02_bindings_and_profiles.ipynb).
