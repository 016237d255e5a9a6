# %% [markdown]
# # 6 · Migrating from TensorRT 8
#
# At the end a TensorRT 8 script runs again with one line changed, its replacement runs without that line, and its FP16
# engine is built from an FP16 model.
#
# **You learn** how binding numbers worked, and why they broke; which call replaces which; what has no successor:
# implicit batch, `BuilderFlag.FP16`, layers pinned to FP32.<br>
# **You need** [lesson 1](01_core_concepts.ipynb): plan, engine, context, and some old code.<br>
# **Time** 35 minutes.

# %% tags=["nbval-ignore-output"]
import linecache
import tempfile
import warnings
from pathlib import Path

import onnx
import pandas as pd
import torch

import trt_helpers as th

# %xmode Minimal
th.show_lane()

# %% [markdown]
# ## The engine file
#
# Your old build script left one behind. It is of no use any more: a plan is tied to the version that built it. This one
# stands in for it: the BERT of lesson 1 with two profiles, one for sentences padded to 128 tokens, one for short ones.

# %%
names = ["input_ids", "token_type_ids", "attention_mask"]
padded = th.Profile.same(names, min=(1, 128), opt=(1, 128), max=(8, 128))
short = th.Profile.same(names, min=(1, 4), opt=(1, 16), max=(8, 64))
lm = th.load_masked_lm()
plan = th.build_plan(th.export_onnx(lm), [padded, short])
folder = tempfile.TemporaryDirectory()
engine_file = th.save_plan(plan, Path(folder.name) / "bert.engine")

# %% [markdown]
# The old script begins like this, and goes no further:

# %% tags=["raises-exception", "lane-output"]
from trt_helpers import trt

runtime = trt.Runtime(th.logger)
engine = runtime.deserialize_cuda_engine(engine_file.read_bytes())
engine.num_bindings

# %% [markdown]
# `num_bindings` and everything like it was deprecated in TensorRT 8.5 and removed in 10.0.
#
# ## One line
#
# `trt_helpers.legacy` puts the old members back, as a thin view over today's (a few small files in
# `trt_helpers/legacy/`). In your script it replaces `import tensorrt as trt`:

# %%
from trt_helpers.legacy import trt

warnings.simplefilter("ignore", DeprecationWarning)  # for now: we shall want these warnings later
runtime = trt.Runtime(th.logger)
engine = runtime.deserialize_cuda_engine(engine_file.read_bytes())
engine.num_io_tensors, engine.num_optimization_profiles

# %% [markdown]
# Four tensors, two profiles. **Before you run the next cell:** how many bindings?
#
# - **A.** 4, one for each tensor
# - **B.** 7: profiles speak of inputs only
# - **C.** 8
#
# <details id="how-many-bindings"><summary>Answer</summary>
#
# - **A.** That is `num_io_tensors`, which does not count profiles.
# - **B.** So they do, and yet the output has a number in each.
# - **C is right.** Every tensor, once for each profile.
#
# </details>

# %%
engine.num_bindings, list(engine)

# %% [markdown]
# Every profile had its own copy of every tensor. With T tensors, tensor `t` of profile `k` is binding `k * T + t`. So
# which one is binding 5?

# %%
profile_index, tensor = divmod(5, engine.num_io_tensors)
profile_index, engine.get_tensor_name(tensor), engine.get_binding_name(5)


# %% [markdown]
# Old code needs the numbers of one profile, inputs apart from outputs:


# %%
def get_binding_idxs(engine, profile_index):
    per_profile = engine.num_bindings // engine.num_optimization_profiles
    bindings = range(profile_index * per_profile, (profile_index + 1) * per_profile)
    inputs = [i for i in bindings if engine.binding_is_input(i)]
    return inputs, [i for i in bindings if i not in inputs]


print(*get_binding_idxs(engine, 0))
print(*get_binding_idxs(engine, 1))

# %% [markdown]
# ## The old workflow, end to end
#
# Context, profile, numbers, then the first sentence at 128 tokens:

# %%
context = engine.create_execution_context()
context.active_optimization_profile = 0
input_idxs, output_idxs = get_binding_idxs(engine, 0)
sentence = "Paris is the [MASK] of France."
tokens = th.tokenize(lm, sentence, padding="max_length", max_length=128)
tensors = [tokens[engine.get_binding_name(i)].to(th.device) for i in input_idxs]
[
    context.set_binding_shape(i, tuple(tensor.shape))
    for i, tensor in zip(input_idxs, tensors, strict=True)
]

# %% [markdown]
# Three times `True`. Old code often threw these away. The context knows the output now:

# %%
[tuple(context.get_binding_shape(i)) for i in range(4)]

# %% [markdown]
# Addresses go into one list, in the order of the numbers:

# %%
logits = torch.empty(tuple(context.get_binding_shape(3)), device=th.device)
bindings = [tensor.data_ptr() for tensor in [*tensors, logits]]
stream = th.Stream()
assert context.execute_async_v2(bindings, stream.handle), th.logger.last_error
stream.synchronize()
tuple(logits.shape), [c.word for c in th.decode_top_k(lm, logits[0, 4])]

# %% [markdown]
# TensorRT 8 code, on today's runtime. Many scripts have these cells as functions: `th.get_binding_idxs`,
# `th.get_output_tensors`, `th.infer_tensorrt`, with `th.save_engine` and `legacy.load_engine` for the file
# (`trt_helpers/legacy/workflow.py`).

# %%
on_device = {name: tensor.to(th.device) for name, tensor in tokens.items()}
again = th.infer_tensorrt(context, on_device, input_idxs, output_idxs)["logits"]
bool((again == logits).all())

# %% [markdown]
# ## Where numbers go wrong
#
# Now the other profile, for short sentences. **Before you run the next cell:** what comes of binding 0, with a shape
# that profile 1 allows?
#
# - **A.** `True`: `input_ids` is number 0 in every profile
# - **B.** `False`
# - **C.** an exception
#
# <details id="number-0"><summary>Answer</summary>
#
# - **A.** In profile 1 it is number 4.
# - **B is right.** A number belongs to one profile, and this is not the active one.
# - **C.** TensorRT 8 returned its refusals too.
#
# </details>

# %%
context.active_optimization_profile = 1
context.set_binding_shape(0, (1, 16))

# %% [markdown]
# In profile 1 it is number 4. A number in your code is right for one profile, and for one order of the inputs.
# (The line in the log is the view's.) TensorRT 8 made it harder to notice, because other calls silently *corrected* the
# number:

# %%
[tuple(shape) for shape in engine.get_profile_shape(1, 0)]

# %% [markdown]
# Those are profile 1's shapes, for a binding of profile 0. Now the right number, and a sentence that is too long:

# %%
context.set_binding_shape(4, (1, 128))

# %% [markdown]
# This is how TensorRT 8 worded it: `bindings[4]`, and you work out which input that was. Now the list of addresses. Its
# entries are numbered through all profiles, so profile 1's begin at 4. What if somebody passes only four?

# %%
[context.set_binding_shape(i, (1, 16)) for i in (4, 5, 6)], context.execute_v2(bindings)

# %% [markdown]
# The view counts. TensorRT 8 did not: it read whatever lay behind the list in memory, and took it for addresses. The
# right list begins with zeros that nobody reads:

# %%
tokens_16 = th.tokenize(lm, sentence, padding="max_length", max_length=16)
tensors = [tokens_16[name].to(th.device) for name in names]
logits_16 = torch.empty(tuple(context.get_binding_shape(7)), device=th.device)
bindings = [0] * 4 + [tensor.data_ptr() for tensor in [*tensors, logits_16]]
context.execute_v2(bindings), [c.word for c in th.decode_top_k(lm, logits_16[0, 4])]


# %% [markdown]
# ## Call by call
#
# Here is the workflow once more, as scripts have it. We run it with its deprecation warnings on, and collect them:


# %%
def old_infer(engine, tokens):
    context = engine.create_execution_context()
    context.active_optimization_profile = 0
    tensors = []
    for i in range(engine.num_bindings // engine.num_optimization_profiles):
        if engine.binding_is_input(i):
            tensors.append(tokens[engine.get_binding_name(i)].to(th.device))
            assert context.set_binding_shape(i, tuple(tensors[i].shape))
        else:
            tensors.append(torch.empty(tuple(context.get_binding_shape(i)), device=th.device))
    assert context.execute_async_v2([tensor.data_ptr() for tensor in tensors], stream.handle)
    stream.synchronize()
    return tensors[-1]


with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    old = old_infer(engine, tokens)
todo = {linecache.getline(w.filename, w.lineno).strip(): str(w.message) for w in caught}
for line, warning in todo.items():
    print(f"{line}\n    {warning}")

# %% [markdown]
# TensorRT 8.5 and 8.6 gave the same warnings, so your list may already lie in an old log. `python -W default` shows
# those of imported modules too. Three things on no list: `num_bindings`, `execute_v2` and `execute_async_v2` never
# warned.
#
# | TensorRT 8 | today | mind |
# |---|---|---|
# | `num_bindings`, `len(engine)` | `num_io_tensors` | not multiplied by profiles |
# | `get_binding_name(i)`, `engine[i]` | `get_tensor_name(i)`, `engine[i]` | no ` [profile k]` |
# | `get_binding_index(name)`, `engine[name]` | the name itself | |
# | `binding_is_input(i)` | `get_tensor_mode(name) == trt.TensorIOMode.INPUT` | |
# | `engine.get_binding_shape(i)` | `engine.get_tensor_shape(name)` | -1 wherever the network is open |
# | `get_binding_dtype(i)` | `get_tensor_dtype(name)` | INT64 exists now |
# | `get_profile_shape(k, i)` | `get_tensor_profile_shape(name, k)` | the arguments swap |
# | `active_optimization_profile = k` | `set_optimization_profile_async(k, stream)` | shapes are forgotten, as before |
# | `set_binding_shape(i, shape)` | `set_input_shape(name, shape)` | False still means refused |
# | `context.get_binding_shape(i)` | `context.get_tensor_shape(name)` | |
# | `execute_async_v2(bindings, stream)` | `set_tensor_address(name, p)` each, `execute_async_v3(stream)` | |
# | `execute_v2(bindings)` | the same | one address for each tensor, no zeros |
#
# Call by call, then:


# %%
def new_infer(engine, tokens):
    context = engine.create_execution_context()  # on profile 0
    tensors = {}
    for i in range(engine.num_io_tensors):
        name = engine.get_tensor_name(i)
        if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT:
            tensors[name] = tokens[name].to(th.device)
            assert context.set_input_shape(name, tuple(tensors[name].shape))
        else:
            tensors[name] = torch.empty(tuple(context.get_tensor_shape(name)), device=th.device)
        assert context.set_tensor_address(name, tensors[name].data_ptr())
    assert context.execute_async_v3(stream.handle)
    stream.synchronize()
    return tensors["logits"]


new = new_infer(engine.real, tokens)  # .real: the engine behind the view, without old members
hasattr(engine.real, "num_bindings"), bool((new == old).all())

# %% [markdown]
# No number is left, so no profile can shift it.
#
# ## What an import cannot mend
#
# Building changed more than running did, and there the view changes nothing. We ask for the old names:

# %% tags=["lane-output"]
for owner, member in [
    (trt.Builder, "build_engine"),
    (trt.IBuilderConfig, "max_workspace_size"),
    (trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH"),
    (trt.BuilderFlag, "FP16"),
    (trt.BuilderFlag, "OBEY_PRECISION_CONSTRAINTS"),
    (trt.ILayer, "precision"),
]:
    print(f"{owner.__name__}.{member}: {'still there' if hasattr(owner, member) else 'gone'}")

# %% [markdown]
# | old | today |
# |---|---|
# | `builder.build_engine(network, config)` | `build_serialized_network`, check for None, then a `Runtime` |
# | `config.max_workspace_size = n` | `config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, n)`, or nothing |
# | `create_network(1 << int(...EXPLICIT_BATCH))` | `create_network()` |
# | `builder.max_batch_size`, `execute(batch_size, ...)` | the batch is dimension 0, with its range in the profile |
# | pycuda: `mem_alloc`, `memcpy_htod_async`, `autoinit` | `torch.empty(..., device=...)`, `.to(...)`, nothing |
# | `tensor.to(torch.int32)` for ids | `tensor.to(th.to_torch_dtype(engine.get_tensor_dtype(name)))` |
#
# The fourth row was *implicit batch*: a network that did not know its batch dimension, and a number given at every
# execution. The last row bites silently: TensorRT 8 had no INT64 and made ids int32. What does our engine say?

# %%
engine.has_implicit_batch_dimension, engine.max_batch_size, engine.get_binding_dtype(0)

# %% [markdown]
# No implicit batch; a largest batch of 1, which is what TensorRT 8 said of every explicit network; and INT64.
#
# An address has no type: int32 ids would be read two at a time, and past their end
# ([lesson 5](05_masked_word_decoding.ipynb) shows what comes of it). `infer_tensorrt` looks, casts and says so:

# %%
context.active_optimization_profile = 0
ids32 = {name: tensor.to(torch.int32) for name, tensor in on_device.items()}
same = th.infer_tensorrt(context, ids32, input_idxs, output_idxs)["logits"]
bool((same == old).all())

# %% [markdown]
# ## FP16, then and now
#
# With `BuilderFlag.FP16` the builder chose each layer's precision itself: *weak typing*. Sometimes the result was
# wrong, because FP16 ends at 65504. A layer normalisation squares its input, so:

# %%
torch.tensor([200.0, 300.0]).half() ** 2

# %% [markdown]
# Hence loops over all layers that found every POW followed by a REDUCE, pinned both to FP32, and set
# `OBEY_PRECISION_CONSTRAINTS`. TensorRT 11 removed all of it, TensorRT-RTX never had it. `legacy.build_engine` is the
# build function of that time; it takes one triple of shapes for all inputs, or one for each.
#
# **Before you run the next cell:** what will become of `fp16=True`?
#
# - **A.** an FP16 engine
# - **B.** an FP32 engine, and a warning
# - **C.** an exception, and no engine
#
# <details id="fp16-asked"><summary>Answer</summary>
#
# - **A.** The builder no longer chooses a precision.
# - **B.** A warning is easily missed, and FP32 is not what was asked for.
# - **C is right.** It says what to do instead.
#
# </details>

# %% tags=["raises-exception"]
from trt_helpers import legacy

shapes = {"min_shape": (1, 128), "optimal_shape": (1, 128), "max_shape": (8, 128)}
legacy.build_engine(
    runtime, th.export_onnx(lm), th.logger, **shapes, workspace_size=1 << 30, fp16=True
)

# %% [markdown]
# TensorRT 11 and TensorRT-RTX type every network *strongly* (TensorRT 10 asks for it with a flag): the precision is
# part of the model, and the builder keeps to it. `model.half()` before
# the export is one way. The other converts the ONNX file; here the pins return, as operators that stay FP32:

# %%
from onnxruntime.transformers.float16 import convert_float_to_float16

model = onnx.load(th.export_onnx(lm))
half = convert_float_to_float16(model, op_block_list=["LayerNormalization"], keep_io_types=True)
half_plan = th.build_plan(half, [padded, short])

# %% [markdown]
# A weight has half the bytes now. And the plan? (In the reference lane it carries its ONNX graph as well.)

# %% tags=["lane-output"]
f"{plan.nbytes / 2**20:.0f} MiB in FP32, {half_plan.nbytes / 2**20:.0f} MiB in FP16"

# %%
half_context = th.load_engine(half_plan).create_execution_context()
half_logits = th.infer(half_context, on_device)["logits"]
words = [[c.word for c in th.decode_top_k(lm, result[0, 4], k=3)] for result in (old, half_logits)]
pd.DataFrame(words, index=["FP32", "FP16"], columns=["best", "2", "3"])

# %% [markdown]
# And in logits, at the positions that hold words?

# %%
real = tokens["attention_mask"].bool()
difference = (half_logits - old).abs().cpu()[real].max().item()
assert half_plan.nbytes < 0.6 * plan.nbytes and 0 < difference < 0.2, difference
f"largest logit {old.cpu()[real].max().item():.1f}, largest difference below 0.2"

# %% [markdown]
# ## Your turn
#
# Start afresh: `make pristine LESSON=06` (your copy is kept).

# %%
from trt_helpers.course import practice

# %% [markdown]
# ### Exercise 1 · Which number? (3 minutes)
#
# An old engine has the tensors `image`, `boxes`, `labels` and `scores`, in this order, and three profiles. Which
# binding is `scores [profile 2]`?
#
# <details><summary>Hint 1</summary>
#
# Profiles and tensors are both counted from 0.
#
# <details><summary>Hint 2</summary>
#
# `k * T + t`, with four tensors.
#
# </details></details>

# %% tags=["exercise"]
# --- stub
number = ...
# --- solution
number = 2 * 4 + 3
# --- check
practice.check_number(number)

# %% [markdown]
# ### Exercise 2 · As the engine wants it (5 minutes)
#
# An old script hands you tensors of whatever type it thought right. Write `as_wanted`: it returns the dictionary with
# every tensor cast to the type that the engine wants for that name.
#
# <details><summary>Hint 1</summary>
#
# The names are the dictionary's keys: ask the engine for the type of each.
#
# <details><summary>Hint 2</summary>
#
# `engine.get_tensor_dtype(name)`, and `th.to_torch_dtype` to translate it.
#
# </details></details>


# %% tags=["exercise"]
# --- stub
def as_wanted(engine, tensors): ...
# --- solution
def as_wanted(engine, tensors):
    return {
        name: tensor.to(th.to_torch_dtype(engine.get_tensor_dtype(name)))
        for name, tensor in tensors.items()
    }


# --- check


practice.check_as_wanted(as_wanted)

# %% [markdown]
# ### Exercise 3 · Port it (15 minutes)
#
# `old_infer` knew one profile. Write `ported`, on named members: it gets an engine, a dictionary of finished input
# tensors on the device and a profile's index, runs in that profile, and returns a dictionary of all outputs. The check
# brings an engine of its own, with two profiles and two outputs.
#
# <details><summary>Hint 1</summary>
#
# The profile first, then the shapes of all inputs, then the outputs. One stream for the switch and the execution.
#
# <details><summary>Hint 2</summary>
#
# `th.allocate_outputs(context)` takes shapes from the context and dtypes from the engine.
#
# </details></details>


# %% tags=["exercise"]
# --- stub
def ported(engine, inputs, profile_index): ...
# --- solution
def ported(engine, inputs, profile_index):
    context, stream = engine.create_execution_context(), th.Stream()
    context.set_optimization_profile_async(profile_index, stream.handle)
    stream.synchronize()
    for name, tensor in inputs.items():
        assert context.set_input_shape(name, tuple(tensor.shape)), th.logger.last_error
    outputs = th.allocate_outputs(context)
    for name, tensor in {**inputs, **outputs}.items():
        assert context.set_tensor_address(name, tensor.data_ptr()), th.logger.last_error
    assert context.execute_async_v3(stream.handle), th.logger.last_error
    stream.synchronize()
    return outputs


# --- check


practice.check_ported(ported)

# %% [markdown]
# ## You can now
#
# - run TensorRT 8 runtime code today by changing one import, and list the lines that have to go,
# - read binding numbers, ` [profile k]` names and address lists, and say why they break,
# - rewrite them as named tensors,
# - say what implicit batch, weak typing and pinned layers were, and build FP16 without them.
#
# **Do you remember?**
#
# <details><summary>1. An engine has five tensors and three profiles. Which binding is tensor 2 in profile 1?</summary>
# 1 x 5 + 2 = 7.</details>
# <details><summary>2. Your old script casts ids to int32. Why is that wrong now, and who tells you?</summary>
# The engine may want INT64, and nobody tells you: ask <code>get_tensor_dtype</code>.</details>
# <details><summary>3. Where does an FP16 engine get its precision from?</summary>
# From the model: what is FP16 in the ONNX file is FP16 in the engine.</details>
#
# An old error message that you cannot place? `th.explain("...")` takes it, a whole traceback too, and answers with the
# reason, the fix and the lesson. [All texts on one page](../docs/errors.md).
#
# **Next:** where the time goes, in [lesson 7, making it fast](07_making_it_fast.ipynb).
