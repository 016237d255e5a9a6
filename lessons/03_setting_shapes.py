# %% [markdown]
# # 3 · Setting shapes
#
# At the end you know the size of every output before you allocate it, and notice every request that TensorRT refuses.
#
# **You learn** how a context gets from -1 to concrete shapes; the ways in which a shape is refused, and what happens if
# nobody looks; what an address cannot tell; outputs whose size nobody knows in advance.<br>
# **You need** [lesson 1](01_core_concepts.ipynb) and [lesson 2](02_bindings_and_profiles.ipynb): contexts and
# profiles.<br>
# **Time** 40 minutes.

# %% tags=["nbval-ignore-output"]
import onnx.parser
import pandas as pd
import torch
from IPython.display import HTML

import trt_helpers as th
from trt_helpers import course, trt

# %xmode Minimal
th.show_lane()

# %% [markdown]
# ## From -1 to a shape
#
# The BERT, for 1 to 8 sentences of 4 to 128 tokens, and in a second profile for up to 32 short ones:

# %%
lm = th.load_masked_lm()
names = ["input_ids", "token_type_ids", "attention_mask"]
longer = th.Profile.same(names, min=(1, 4), opt=(4, 32), max=(8, 128))
many = th.Profile.same(names, min=(1, 4), opt=(16, 16), max=(32, 32))
engine = th.load_engine(th.build_plan(th.export_onnx(lm), [longer, many]))
context = engine.create_execution_context()
context.get_tensor_shape("input_ids"), context.get_tensor_shape("logits")

# %% [markdown]
# Nothing is known but the 30,522 words. What does the context still need?

# %%
context.infer_shapes()

# %%
context.set_input_shape("input_ids", (1, 9)), context.infer_shapes()

# %% [markdown]
# One down, two to go. **Before you run the next cell:** when all three are set, and nothing has run, what will the
# context say about `logits`?

# %%
for name in names[1:]:
    assert context.set_input_shape(name, (1, 9))
context.infer_shapes(), context.get_tensor_shape("logits")

# %% [markdown]
# `[]`: nothing is missing, and every output has its shape. (The older `all_binding_shapes_specified` does not work with
# the calls by name, as NVIDIA documents.)
#
# ## Bytes before allocation
#
# Shape from the context, bytes per element from the engine:

# %%
trt.volume(context.get_tensor_shape("logits")) * engine.get_tensor_dtype("logits").itemsize

# %% [markdown]
# More than a megabyte for nine tokens. What do our four sentences cost if each is padded to 128, as much code does?

# %%
sentences = [
    "Paris is the [MASK] of France.",
    "The primary [MASK] of the United States is English.",
    "A baseball game consists of at least nine [MASK].",
    "Topology is a branch of [MASK] concerned with the properties of geometric objects "
    "that remain unchanged under continuous transformations.",
]
lengths = [len(lm.tokenizer(sentence)["input_ids"]) for sentence in sentences]
lengths

# %% [markdown]
# No tensor is needed for the answer:


# %%
def logits_bytes(batch, sequence):
    for name in names:
        assert context.set_input_shape(name, (batch, sequence)), th.logger.last_error
    elements = trt.volume(context.get_tensor_shape("logits"))
    return elements * engine.get_tensor_dtype("logits").itemsize


costs = {
    "each at its own length": sum(logits_bytes(1, length) for length in lengths),
    "one batch, padded to the longest": logits_bytes(4, max(lengths)),
    "one batch, padded to 128": logits_bytes(4, 128),
}
pd.DataFrame({"bytes of logits": costs}).map("{:,}".format)

# %% [markdown]
# And the worst that profile 0 can ask for? It has a largest shape. **Before you run the next cell:** does it
# have one for outputs?

# %% tags=["raises-exception", "lane-output"]
smallest, likeliest, largest = engine.get_tensor_profile_shape("logits", 0)
tuple(largest)

# %% [markdown]
# No. For an output you get three invalid shapes, which do not even have a length. So set the largest inputs, and ask.

# %%
f"{logits_bytes(8, 128):,}"

# %% [markdown]
# ## Allocate
#
# From the context, not from the engine. Take the wrong one of the two, and you get:

# %% tags=["raises-exception"]
torch.empty(tuple(engine.get_tensor_shape("logits")))

# %% [markdown]
# The right one, with the dtype from the engine too:

# %%
dtype = th.to_torch_dtype(engine.get_tensor_dtype("logits"))
logits = torch.empty(tuple(context.get_tensor_shape("logits")), dtype=dtype, device=th.device)
logits.shape, logits.dtype, f"{logits.nbytes:,}"

# %% [markdown]
# `th.allocate_outputs(context)` does this for every output (`trt_helpers/binding.py`). Where everything lies during
# an inference of nine tokens:
#
# ![Host memory, left: your input tensors as the tokenizer made them; the execution context with shapes and the
# addresses of four tensors; your copy of logits; the plan, which may go once the engine is loaded. Device memory,
# right: your three input tensors, 72 bytes each, copied by .to(device); the context's activation memory; your tensor
# logits, 1,098,792 bytes, copied back by .cpu(); the weights, one copy for all contexts. The context's addresses point
# to the input tensors and to logits on the device. Without a GPU both are one memory and nothing is
# copied.](images/03_memory.png)
#
# ## Refused
#
# For mistakes, a model to check in your head: `y` is `x` times `w`. It takes 0 to 8 rows of exactly three numbers.

# %%
weigh = onnx.parser.parse_model("""
    <ir_version: 10, opset_import: ["": 20]>
    weigh (float[rows, 3] x, float[rows, 3] w) => (float[rows, 3] y) { y = Mul(x, w) }
""").SerializeToString()
profile = th.Profile.same(["x", "w"], min=(0, 3), opt=(2, 3), max=(8, 3))
weigher = th.load_engine(th.build_plan(weigh, profile)).create_execution_context()
[weigher.set_input_shape(name, (2, 3)) for name in ("x", "w")], weigher.get_tensor_shape("y")

# %% [markdown]
# Bind, execute, wait, as in lesson 1. `run` says whether TensorRT accepted all of it:

# %%
stream = th.Stream()


def run(**tensors):
    bound = [
        weigher.set_tensor_address(name, tensor.data_ptr()) for name, tensor in tensors.items()
    ]
    enqueued = weigher.execute_async_v3(stream.handle)
    stream.synchronize()
    return all(bound) and enqueued


x = torch.arange(1.0, 7.0).reshape(2, 3).to(th.device)
w = torch.full((2, 3), 10.0).to(th.device)
y = torch.zeros(2, 3).to(th.device)
run(x=x, w=w, y=y), y.tolist()

# %% [markdown]
# **Before you run the next cell:** nine rows are one too many. What will the call do?
#
# - **A.** raise an exception
# - **B.** return `False`
# - **C.** return `True` and keep eight rows
#
# <details id="nine-rows"><summary>Answer</summary>
#
# - **A.** Refusals are returned.
# - **B is right.** A value that is easy to overlook.
# - **C.** Nothing is cut to fit.
#
# </details>

# %% tags=["lane-output"]
weigher.set_input_shape("x", (9, 3))

# %% [markdown]
# A line in the log, and the program goes on. We bind nine rows, and fill the output with -1 to see what is written:

# %%
many, tens, out = (torch.full((9, 3), value).to(th.device) for value in (5.0, 10.0, -1.0))
run(x=many, w=tens, y=out), out[:, 0].tolist()

# %% [markdown]
# Accepted, and two rows of nine are computed: the shape is still the last that was accepted. Had the output not been
# fresh, its rows would look plausible. A common silent bug.
#
# Four more ways to be refused. Guess each reason before you read it. Too many columns:

# %% tags=["lane-output"]
weigher.set_input_shape("x", (2, 4))

# %% [markdown]
# The second size is fixed in the ONNX file; no profile can change it, only another export. One row without its batch
# dimension:

# %% tags=["lane-output"]
weigher.set_input_shape("x", (3,))

# %% [markdown]
# A -1 in the hope that TensorRT will see for itself:

# %% tags=["lane-output"]
weigher.set_input_shape("x", (-1, 3))

# %% [markdown]
# And an output, which is the engine's business:

# %% tags=["lane-output"]
weigher.set_input_shape("y", (2, 3))

# %% [markdown]
# **Before you run the next cell:** five refusals. What shape does `x` have now?
#
# - **A.** (-1, 3), none
# - **B.** (8, 3), the most that is allowed
# - **C.** (2, 3), the last that was accepted
#
# <details id="stale-shape"><summary>Answer</summary>
#
# - **A.** A refusal takes nothing away.
# - **B.** TensorRT never changes a shape to fit.
# - **C is right.** It runs if nobody looks.
#
# </details>

# %%
weigher.get_tensor_shape("x")

# %% [markdown]
# So look at every `False`. `th.set_input_shapes` does, and puts the reason into the exception:

# %% tags=["raises-exception", "lane-output"]
th.set_input_shapes(weigher, {"x": (9, 3)})

# %% [markdown]
# ## Try sizes
#
# A playground for the BERT's engine: a batch, a sequence length, and it offers them to a context on each profile
# (`trt_helpers/course/views/shape_playground.py`). Nothing is allocated. Find a size that only profile 1 accepts.

# %%
playground = course.ShapePlayground(engine, batch=2, sequence=9)
playground

# %% [markdown]
# From Python, 9 sentences of 64 tokens: too many for profile 0, too long for profile 1.

# %% tags=["lane-output"]
playground.batch.value, playground.sequence.value = 9, 64
HTML(playground.result.value)

# %% [markdown]
# Without the controls it is one function of a few facts:

# %%
HTML(course.render_request(course.request_facts(engine, (4, 32))))

# %% [markdown]
# ## Each right, together wrong
#
# **Before you run the next cell:** two rows of `x`, five of `w`. Each is within the profile. Who complains?
#
# - **A.** `set_input_shape`, for `w`
# - **B.** nobody: `y` gets two rows
# - **C.** the output: it has no shape
#
# <details id="rows-disagree"><summary>Answer</summary>
#
# - **A.** It looks at one input only.
# - **B.** In the file, both have the same `rows`.
# - **C is right.** Two rows and five make none.
#
# </details>

# %% tags=["lane-output"]
accepted = [weigher.set_input_shape("x", (2, 3)), weigher.set_input_shape("w", (5, 3))]
accepted, weigher.get_tensor_shape("y")

# %% [markdown]
# The log says why: both first sizes are called `rows`, so they must be equal. `infer_shapes` is the call to ask, and
# this time it raises:

# %% tags=["raises-exception", "lane-output"]
weigher.infer_shapes()

# %% [markdown]
# So after the last shape, and before you allocate, `infer_shapes` must return `[]`. `th.allocate_outputs` asks it.
#
# ## What an address cannot tell
#
# TensorRT gets a number. It cannot see what kind of tensor lies there. Doubles, as NumPy makes them, times one:

# %%
assert weigher.set_input_shape("w", (2, 3))
ones = torch.ones(2, 3).to(th.device)
doubles = x.to("cpu", torch.float64).to(th.device)
run(x=doubles, w=ones, y=y), y.tolist()

# %% [markdown]
# Accepted, and nonsense: each double was read as two floats. From a tensor with too few bytes it would read beyond the
# end. What about strides?

# %%
turned = torch.arange(1.0, 7.0).reshape(3, 2).T.to(th.device)
run(x=turned, w=ones, y=y), turned.tolist(), y.tolist()

# %% [markdown]
# PyTorch turns a tensor by changing its strides, and TensorRT reads memory. (`contiguous()` would put it in order.)
# Neither mistake leaves a trace in the log, so `th.bind` looks at dtype, memory layout and device:

# %% tags=["raises-exception"]
th.bind(weigher, {"x": turned})

# %% [markdown]
# The third is the device. On a GPU, an address in host memory ends in a CUDA error, after which the process may have to
# be restarted. So we try only the helper, on a tensor that is nowhere:

# %% tags=["raises-exception", "lane-output"]
th.bind(weigher, {"x": torch.empty(2, 3, device="meta")})

# %% [markdown]
# The fourth is size: a buffer smaller than the context's shape is read or written beyond its end. `th.infer` and
# `th.allocate_outputs` take every size from the context; with `th.bind` it is up to you.
#
# ## Zero rows
#
# A filter before the model lets nothing through: an empty batch. The profile allows it, since its min is 0:

# %%
[weigher.set_input_shape(name, (0, 3)) for name in ("x", "w")], weigher.get_tensor_shape("y")

# %% [markdown]
# **Before you run the next cell:** where is a tensor without elements?

# %% tags=["lane-output"]
nothing = torch.empty(0, 3).to(th.device)
nothing.data_ptr(), run(x=nothing, w=nothing, y=nothing)

# %% [markdown]
# At address 0, which TensorRT takes for "not set". Any other address will do, as nothing is read or written:

# %%
_ = out.copy_(torch.full((9, 3), -1.0))
run(x=x, w=w, y=out), out[:2].tolist()

# %% [markdown]
# ## Sizes that depend on the data
#
# `NonZero` returns the places where its input is not zero. How many? Nobody knows before it has run. TensorRT for RTX
# has no such operators, TensorRT has. A helper makes a plan where that is possible, and says how
# (`trt_helpers/course/data_dependent.py`).

# %% tags=["lane-output"]
find = onnx.parser.parse_model("""
    <ir_version: 10, opset_import: ["": 20]>
    find (float[rows, columns] x) => (int64[2, found] places) { places = NonZero(x) }
""").SerializeToString()
plan = course.data_dependent_plan(find, th.Profile(x=((1, 3), (2, 3), (8, 3))))
plan is not None

# %% [markdown]
# **Before you run the next cell:** the input is set. Does `infer_shapes` miss anything? Is there a -1 left?

# %% tags=["lane-output"]
if plan is not None:
    finder = th.load_engine(plan).create_execution_context()
    assert finder.set_input_shape("x", (2, 3))
    print(finder.infer_shapes(), finder.get_tensor_shape("places"))

# %% [markdown]
# Nothing is missing, and still a -1: nobody can say how many places. So TensorRT asks us for memory while it runs,
# through an *output allocator*: first how many bytes, then which shape it was.


# %%
class Allocator(trt.IOutputAllocator):
    def __init__(self):
        trt.IOutputAllocator.__init__(self)  # by name, as for the logger

    def reallocate_output_async(self, tensor_name, memory, size, alignment, stream):
        self.memory = torch.empty(size, dtype=torch.uint8, device=th.device)
        return self.memory.data_ptr()

    def notify_shape(self, tensor_name, shape):
        self.shape = tuple(shape)


# %% [markdown]
# The context keeps the allocator alive, the allocator its memory. An exception in it, or a `None`, is "no memory": the
# execution returns `False`. TensorRT may ask for more than is found, so we cut the result out:


# %% tags=["lane-output"]
def find_places(x):
    assert finder.set_input_shape("x", tuple(x.shape)), th.logger.last_error
    assert finder.set_tensor_address("x", x.data_ptr()), th.logger.last_error
    assert finder.execute_async_v3(stream.handle), th.logger.last_error
    stream.synchronize()
    found = allocator.memory.view(torch.int64)[: trt.volume(allocator.shape)]
    return found.reshape(allocator.shape)


if plan is not None:
    allocator = Allocator()
    assert finder.set_output_allocator("places", allocator)
    sparse = torch.tensor([[0.0, 2.0, 0.0], [4.0, 0.0, 6.0]]).to(th.device)
    for data in (sparse, x):
        places = find_places(data)
        print(tuple(places.shape), places.tolist(), finder.get_tensor_shape("places"))
        assert torch.equal(places, data.nonzero().T)

# %% [markdown]
# Three places, then six, from inputs of one shape; PyTorch's `nonzero` agrees. The context's shape stays -1 to the end:
# only `notify_shape` is told.
#
# ## Your turn
#
# Start afresh: `make pristine LESSON=03` (your copy is kept).

# %%
from trt_helpers.course import practice

# %% [markdown]
# ### Exercise 1 · Change one shape (3 minutes)
#
# Another model puts `left`, float[rows, 2], and `right`, float[rows, 5], side by side. It shall make seven rows. Which
# shape must `right` have?
#
# <details><summary>Hint 1</summary>
#
# Both first sizes are called `rows`.
#
# <details><summary>Hint 2</summary>
#
# The second size is fixed in the model, as the three columns of `x` were.
#
# </details></details>

# %% tags=["exercise"]
# --- stub
request = {"left": (7, 2), "right": ...}
# --- solution
request = {"left": (7, 2), "right": (7, 5)}
# --- check
practice.check_request(request)

# %% [markdown]
# ### Exercise 2 · The worst case (5 minutes)
#
# Write `worst_bytes`: it gets an engine and a profile's index, and returns a dictionary: for each output, its bytes
# when every input is as large as that profile allows.
#
# <details><summary>Hint 1</summary>
#
# A fresh context is on profile 0: switch first. Then the third shape of `get_tensor_profile_shape` for each input.
#
# <details><summary>Hint 2</summary>
#
# `engine.get_tensor_mode(name)` tells inputs and outputs apart; `engine.get_tensor_dtype(name).itemsize` is 4 only for
# some.
#
# </details></details>


# %% tags=["exercise"]
# --- stub
def worst_bytes(engine, profile): ...
# --- solution
def worst_bytes(engine, profile):
    context, stream = engine.create_execution_context(), th.Stream()
    context.set_optimization_profile_async(profile, stream.handle)
    stream.synchronize()
    inputs = [name for name in engine if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
    for name in inputs:
        largest = engine.get_tensor_profile_shape(name, profile)[2]
        assert context.set_input_shape(name, largest), th.logger.last_error
    outputs = [name for name in engine if name not in inputs]
    return {
        name: trt.volume(context.get_tensor_shape(name)) * engine.get_tensor_dtype(name).itemsize
        for name in outputs
    }


# --- check


practice.check_worst_bytes(worst_bytes)

# %% [markdown]
# ### Exercise 3 · A verdict (10 minutes)
#
# Write `verdict`: it gets a context and some shapes by name, sets them, and returns `"refused"` if TensorRT refuses
# one, `"missing"` if an input has no shape yet, `"disagree"` if they do not fit together, else `"ok"`.
#
# <details><summary>Hint 1</summary>
#
# `set_input_shape` returns False if it refuses. Ask for every input, then go on.
#
# <details><summary>Hint 2</summary>
#
# `infer_shapes` returns the names that miss a shape, or raises a RuntimeError.
#
# </details></details>


# %% tags=["exercise"]
# --- stub
def verdict(context, shapes): ...
# --- solution
def verdict(context, shapes):
    if not all([context.set_input_shape(name, shape) for name, shape in shapes.items()]):
        return "refused"
    try:
        return "missing" if context.infer_shapes() else "ok"
    except RuntimeError:
        return "disagree"


# --- check


practice.check_verdict(verdict)

# %% [markdown]
# ### Exercise 4 · An allocator that keeps its memory (10 minutes)
#
# `Allocator` above takes new memory for every request. Write `Keeping`, which takes new memory only if what it has in
# `self.memory` (a tensor) is too small, and knows the output's `self.shape`.
#
# <details><summary>Hint 1</summary>
#
# Start with `self.memory = None`, and compare `self.memory.nbytes` with `size`.
#
# <details><summary>Hint 2</summary>
#
# The address is returned in either case. `notify_shape` keeps the newest shape.
#
# </details></details>


# %% tags=["exercise"]
# --- stub
class Keeping(trt.IOutputAllocator): ...


# --- solution
class Keeping(trt.IOutputAllocator):
    def __init__(self):
        trt.IOutputAllocator.__init__(self)
        self.memory = self.shape = None

    def reallocate_output_async(self, tensor_name, memory, size, alignment, stream):
        if self.memory is None or self.memory.nbytes < size:
            self.memory = torch.empty(size, dtype=torch.uint8, device=th.device)
        return self.memory.data_ptr()

    def notify_shape(self, tensor_name, shape):
        self.shape = tuple(shape)


# --- check


practice.check_keeping(Keeping)

# %% [markdown]
# ## You can now
#
# - say what a context still needs, and how large each output will be, before anything is allocated,
# - recognise every way in which a shape is refused, and the stale shape that runs if nobody looks,
# - tell "each input is legal" from "they fit together",
# - name four mistakes that no address can show,
# - run empty batches, and outputs whose size depends on the data.
#
# **Do you remember?**
#
# <details><summary>1. <code>set_input_shape</code> returned False and nobody looked. What does the next execution
# compute?</summary>The last shape that was accepted, whatever tensors are bound.</details>
# <details><summary>2. All calls of <code>set_input_shape</code> returned True. Why ask <code>infer_shapes</code> as
# well?</summary>An input may have been forgotten, or two of them may not fit together.</details>
# <details><summary>3. An output shows -1 although all inputs are set. What now?</summary>
# Its size depends on the data: give the context an output allocator.</details>
#
# **Next:** what happens after `execute_async_v3` returns, in
# [lesson 4, async execution and streams](04_async_execution_and_streams.ipynb).
