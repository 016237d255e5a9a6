# %% [markdown]
# # 2 · Bindings and profiles
#
# At the end one engine serves single sentences and large batches, and you can tell which shapes it will take.
#
# **You learn** what an engine says about its tensors; what optimization profiles allow, and how to switch between
# them; what binding indices were, and why binding by position goes wrong without a word.<br>
# **You need** [lesson 1](01_core_concepts.ipynb): plan, engine, context.<br>
# **Time** 30 minutes.

# %% tags=["nbval-ignore-output"]
import pandas as pd
import torch
from IPython.display import HTML

import trt_helpers as th
from trt_helpers import course, trt

# %xmode Minimal
th.show_lane()

# %% [markdown]
# ## Tensors have names
#
# The BERT again. This engine has *two* optimization profiles; the names say what they are for:

# %%
lm = th.load_masked_lm()
names = ["input_ids", "token_type_ids", "attention_mask"]
single = th.Profile.same(names, min=(1, 4), opt=(1, 16), max=(1, 32))
batches = th.Profile.same(names, min=(1, 16), opt=(8, 64), max=(32, 128))
engine = th.load_engine(th.build_plan(th.export_onnx(lm), [single, batches]))
[engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]

# %% [markdown]
# Inputs and outputs are called *I/O tensors*; TensorRT 8 called them bindings. The names are those of the ONNX graph,
# and everything else is asked for by name:

# %%
name = "attention_mask"
engine.get_tensor_mode(name), engine.get_tensor_dtype(name), engine.get_tensor_shape(name)

# %% [markdown]
# All of them, asked the same way (`trt_helpers/tensors.py`):

# %%
th.describe_engine(engine)

# %% [markdown]
# `DEVICE` says where the memory must be: on the GPU, if there is one. `HOST` would be an input whose *values* are
# sizes, which TensorRT reads on the CPU.
#
# **Before you run the next cell:** one letter too many in the name. What comes back?
#
# - **A.** an exception
# - **B.** `None`
# - **C.** a data type
#
# <details id="wrong-name"><summary>Answer</summary>
#
# - **A.** An unknown name raises nothing here.
# - **B.** This call always returns a data type.
# - **C is right.** And the wrong one, float32.
#
# </details>

# %% tags=["lane-output"]
engine.get_tensor_dtype("inputs_ids")

# %% [markdown]
# The ids are int64. Only the log complains. So take names from the engine, or check them against it.
#
# ## Engine shape and context shape
#
# Every size of `input_ids` is open. **Before you run the next cell:** what will a fresh context say, (-1, -1) too?

# %%
context = engine.create_execution_context()
engine.get_tensor_shape("input_ids"), context.get_tensor_shape("input_ids")

# %% [markdown]
# The context knows more: it is on profile 0, which leaves the batch only one size. Here are its three shapes:

# %%
engine.get_tensor_profile_shape("input_ids", 0)

# %% [markdown]
# Min, opt, max. Min and max say what is legal. Opt says which shape TensorRT tunes for; it makes nothing legal or
# illegal.
#
# ## What the builder checks
#
# For mistakes, a model that builds in no time:

# %%
import onnx.parser

weigh = onnx.parser.parse_model("""
    <ir_version: 10, opset_import: ["": 20]>
    weigh (float[rows, columns] x, float[rows, columns] w)
        => (float[rows, columns] y) { y = Mul(x, w) }
""").SerializeToString()
builder = trt.Builder(th.logger)
network = builder.create_network()
parser = trt.OnnxParser(network, th.logger)
parser.parse(weigh), network.num_inputs

# %% [markdown]
# Min larger than opt is surely wrong. **Before you run the next cell:** `set_shape` accepts it without a word. Who will
# notice, and when?

# %% tags=["lane-output"]
swapped = builder.create_optimization_profile()
swapped.set_shape("x", min=(8, 4), opt=(2, 4), max=(16, 4))
bool(swapped)

# %% [markdown]
# When you ask: a profile that is not valid is false. And if nobody asks?

# %% tags=["lane-output"]
config = builder.create_builder_config()
print("index:", config.add_optimization_profile(swapped))
print("plan:", builder.build_serialized_network(network, config))

# %% [markdown]
# -1 is no index but a refusal. The profile was not added, so the build ends as in lesson 1: no profile, no plan.
#
# **Before you run the next cell:** this profile is valid, but says nothing about the second input. Who notices?

# %% tags=["lane-output"]
half = builder.create_optimization_profile()
half.set_shape("x", min=(1, 4), opt=(2, 4), max=(16, 4))
print("valid:", bool(half))
print("index:", config.add_optimization_profile(half))
print("plan:", builder.build_serialized_network(network, config))

# %% [markdown]
# The build, and it names the input. (A name that the network does *not* have is ignored without a word. `th.build_plan`
# checks for all of these.)
#
# ## Two profiles, one engine
#
# The engine has one set of weights and two sets of limits:

# %%
th.describe_profiles(engine)

# %% [markdown]
# The table asks `get_tensor_profile_shape` for each profile and input (`trt_helpers/tensors.py`). Which requests fit?
# Every size must lie between min and max:

# %%
count = engine.num_optimization_profiles
profiles = [engine.get_tensor_profile_shape("input_ids", k) for k in range(count)]


def fitting(shape):
    inside = [
        [a <= n <= b for a, n, b in zip(low, shape, high, strict=True)] for low, _, high in profiles
    ]
    return [k for k, sizes in enumerate(inside) if all(sizes)]


requests = [(1, 9), (1, 24), (8, 64), (4, 6), (48, 64)]
fits = {shape: fitting(shape) for shape in requests}
fits

# %%
png = course.draw_profiles([[tuple(shape) for shape in three] for three in profiles], fits)
alt = "Profile 0 is a flat box at batch 1, profile 1 a large one; they overlap. " + "; ".join(
    f"{batch} x {sequence} fits {indices or 'none'}" for (batch, sequence), indices in fits.items()
)
course.picture(png, alt=alt)

# %% [markdown]
# (`course.picture` is IPython's `Image(png, metadata={"alt": alt})`: the words are for those who cannot see the
# picture. Like all that only lessons need, it lives in `trt_helpers/course/`.)
#
# Each point is a request, batch x sequence, with the profiles that it fits. Two fit none: 6 tokens are too few for a
# batch, 48 sentences too many. One fits both. 8 x 64 fits profile 1, our context is on profile 0.
# **Before you run the next cell:** what will TensorRT do?
#
# - **A.** switch to profile 1
# - **B.** refuse
# - **C.** take one of the 8 sentences
#
# <details id="other-profile"><summary>Answer</summary>
#
# - **A.** Switching is your call, with a stream.
# - **B is right.** Only the active profile counts.
# - **C.** A shape is taken whole or not at all.
#
# </details>

# %% tags=["lane-output"]
context.active_optimization_profile, context.set_input_shape("input_ids", (8, 64))

# %% [markdown]
# `False`. The log lists both ranges, and only the active one counts, as NVIDIA's guide says. Nobody chooses for us
# where a request fits several.
#
# ## Switching
#
# The switch may copy data, so it goes through a stream: the one that will execute, or one that you wait for before you
# go on. Nothing of this context may still be running.

# %%
stream = th.Stream()
accepted = context.set_input_shape("input_ids", (1, 24))
switched = context.set_optimization_profile_async(1, stream.handle)
accepted, switched, context.active_optimization_profile

# %% [markdown]
# 1 x 24 was set in profile 0, and is legal in profile 1 too. **Before you run the next cell:** what is set now?
#
# - **A.** (1, 24), as before
# - **B.** (1, -1), the sequence is open again
# - **C.** (-1, -1), nothing
#
# <details id="after-the-switch"><summary>Answer</summary>
#
# - **A.** A switch forgets every shape, legal or not.
# - **B.** Profile 0 left one batch size; profile 1 leaves 1 to 32.
# - **C is right.** Set them again, for every input.
#
# </details>

# %%
context.get_tensor_shape("input_ids"), context.infer_shapes()

# %% [markdown]
# Forgotten. `infer_shapes` names all inputs that miss a shape. So the order is always: profile, shapes, execute.
# `th.infer` sets the shapes of every request anyway, so now 8 sentences fit (padded to 16 tokens, the fewest that
# profile 1 takes):

# %%
sentences = ["Paris is the [MASK] of France.", "He drank a cup of [MASK]."] * 4
tokens = th.tokenize(lm, sentences, padding="max_length", max_length=16)
inputs = {name: tensor.to(th.device) for name, tensor in tokens.items()}
logits = th.infer(context, inputs, stream=stream)["logits"]
places = th.find_masks(lm, tokens["input_ids"])
tuple(logits.shape), [th.decode_top_k(lm, logits[place], k=1)[0].word for place in places]

# %% [markdown]
# And a profile that does not exist?

# %% tags=["raises-exception", "lane-output"]
context.set_optimization_profile_async(2, stream.handle)

# %% [markdown]
# For once an exception. The method returns `True` or raises. Many programs wrap it in `if not`, whose body never
# runs.
#
# ## Two contexts at the same time
#
# TensorRT 10 lets contexts share a profile; TensorRT for RTX asks for one each, if they run at the same time. So the
# same limits go into the engine twice:

# %%
limits = th.Profile.same(["x", "w"], min=(1, 4), opt=(2, 4), max=(16, 4))
twin = th.load_engine(th.build_plan(weigh, [limits, limits]))
x, w = (torch.full((2, 4), value).to(th.device) for value in (2.0, 3.0))
contexts = [twin.create_execution_context() for _ in range(2)]
streams = [th.Stream() for _ in range(2)]
for k in range(2):
    contexts[k].set_optimization_profile_async(k, streams[k].handle)
    th.set_input_shapes(contexts[k], {"x": x, "w": w})
[own.active_optimization_profile for own in contexts]

# %% [markdown]
# Each switches on the stream on which it will execute. `th.allocate_outputs` and `th.bind` do what lesson 1 did by hand
# (`trt_helpers/execution.py`):

# %%
outputs = [th.allocate_outputs(own) for own in contexts]
for own, output in zip(contexts, outputs, strict=True):
    th.bind(own, {"x": x, "w": w, **output})
enqueued = [
    own.execute_async_v3(queue.handle) for own, queue in zip(contexts, streams, strict=True)
]
for queue in streams:
    queue.synchronize()
enqueued, [output["y"].tolist() for output in outputs]

# %% [markdown]
# Both were enqueued before either was waited for.
#
# ## What binding indices were
#
# Until the calls by name came (in TensorRT 8.5), a tensor had a number, in every profile another one. With T tensors,
# tensor t in profile k had the index `k * T + t`, and from profile 1 on a suffix to its name, such as
# `logits [profile 1]`. Code of that time has a function `get_binding_idxs(engine, profile_index)` for the indices of
# one profile. In arithmetic, for engines with one, two and three profiles:

# %%
T = engine.num_io_tensors
modes = [engine.get_tensor_mode(engine.get_tensor_name(t)) for t in range(T)]
is_input = [mode == trt.TensorIOMode.INPUT for mode in modes]


def binding_idxs(k):
    inputs = [k * T + t for t in range(T) if is_input[t]]
    return inputs, [k * T + t for t in range(T) if not is_input[t]]


rows = [(count, count * T, k, *binding_idxs(k)) for count in (1, 2, 3) for k in range(count)]
table = pd.DataFrame(rows, columns=["profiles", "num_bindings", "profile", "inputs", "outputs"])
table.set_index(["profiles", "profile"])

# %% [markdown]
# The same tensor, up to three numbers. TensorRT 10 removed them all:

# %% tags=["raises-exception", "lane-output"]
engine.num_bindings

# %% [markdown]
# `num_io_tensors` takes its place, and does not count profiles. `has_implicit_batch_dimension` was always `False` in
# TensorRT 10, and is gone in 11: networks once had no batch dimension, and the batch was an argument of `execute`. Now
# it is a dimension like any other. [Lesson 6](06_migrating_from_tensorrt_8.ipynb) makes such code run again.
#
# ## Pick profiles
#
# An explorer builds an engine with the profiles that you pick, and asks it all of the above
# (`trt_helpers/course/views/engine_explorer.py`). The engine is `weigh`, which builds in no time. Add a second profile
# and a third, put the context on another one, and watch which numbers change.

# %%
choices = {
    "one row": th.Profile.same(["x", "w"], min=(1, 4), opt=(1, 8), max=(1, 16)),
    "8 columns": th.Profile.same(["x", "w"], min=(1, 8), opt=(4, 8), max=(32, 8)),
    "2 x 4 only": th.Profile.same(["x", "w"], min=(2, 4), opt=(2, 4), max=(2, 4)),
}
explorer = course.EngineExplorer(weigh, choices)
explorer

# %% [markdown]
# Python can turn the same controls:

# %%
explorer.picks[1].value, explorer.active.value = "8 columns", 1
HTML(explorer.result.value)

# %% [markdown]
# The explorer is one function and some controls. The function alone, for the BERT and its profile 1:

# %%
HTML(course.render_engine(course.engine_facts(engine, profile=1)))

# %% [markdown]
# ## Bound by position
#
# One call still goes by position: `execute_v2` takes a list of addresses in the order of `get_tensor_name`, and waits
# until the work is done.

# %%
inputs = {name: tensor.to(th.device) for name, tensor in th.tokenize(lm, sentences[0]).items()}
position = th.find_masks(lm, inputs["input_ids"])[0]
bert = engine.create_execution_context()
th.set_input_shapes(bert, inputs)
logits = torch.empty(tuple(bert.get_tensor_shape("logits")), device=th.device)


def run_by_position(order):
    addresses = [inputs[name].data_ptr() for name in order]
    assert bert.execute_v2([*addresses, logits.data_ptr()]), th.logger.last_error
    return th.decode_top_k(lm, logits[position], k=1)[0].word


run_by_position(names)

# %% [markdown]
# Many an exported BERT has its mask in second place: `input_ids`, `attention_mask`, `token_type_ids`. A program written
# for one of those meets our engine. **Before you run the next cell:** all three inputs have the same shape and dtype.
# What can TensorRT notice?

# %% tags=["lane-output"]
run_by_position(["input_ids", "attention_mask", "token_type_ids"])

# %% [markdown]
# Nothing. "Paris is the and of France": the mask, all ones, was read as "these words are the second text", and the
# token types, all zeros, as "ignore every word". A list that is too short is worse: TensorRT reads past its end.
# A name cannot be in the wrong place.

# %% [markdown]
# ## Your turn
#
# Start afresh: `make pristine LESSON=02` (your copy is kept).

# %%
from trt_helpers.course import practice

# %% [markdown]
# ### Exercise 1 · Change one shape (3 minutes)
#
# 4 x 6 fitted neither profile. Write `batches` once more, for a model with the single input `ids`, and change one
# shape: from 1 to 32 sentences, from 4 to 128 tokens each, still tuned for 8 x 64.
#
# <details><summary>Hint 1</summary>
#
# Too few tokens: which of min, opt and max says so?
#
# <details><summary>Hint 2</summary>
#
# Min is (1, 16) in `batches`. Write `th.Profile(ids=(min, opt, max))`.
#
# </details></details>

# %% tags=["exercise"]
# --- stub
wider = ...
# --- solution
wider = th.Profile(ids=((1, 4), (8, 64), (32, 128)))
# --- check
practice.check_wider(wider)

# %% [markdown]
# ### Exercise 2 · In the engine's order (5 minutes)
#
# Write `addresses`: it gets an engine and a dictionary of tensors by name, in any order, and returns the list for
# `execute_v2`.
#
# <details><summary>Hint 1</summary>
#
# The engine knows the order: `engine.get_tensor_name(i)`, for all `num_io_tensors`.
#
# <details><summary>Hint 2</summary>
#
# Outputs are in the dictionary too, and an address is `tensor.data_ptr()`.
#
# </details></details>


# %% tags=["exercise"]
# --- stub
def addresses(engine, tensors): ...
# --- solution
def addresses(engine, tensors):
    order = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
    return [tensors[name].data_ptr() for name in order]


# --- check


practice.check_addresses(addresses)

# %% [markdown]
# ### Exercise 3 · A TensorRT 8 name (5 minutes)
#
# Write `binding_index`: it gets the list of tensor names and a TensorRT 8 binding name such as `mask [profile 2]`, and
# returns the index; -1 if there is no such tensor, as TensorRT 8 did. Any profile's number will do: you are not told
# how many there are.
#
# <details><summary>Hint 1</summary>
#
# `name.partition(" [profile ")` splits the name; the third part is empty for profile 0.
#
# <details><summary>Hint 2</summary>
#
# Each profile has `len(tensors)` indices: `k * T + t`, where t is the place in the list.
#
# </details></details>


# %% tags=["exercise"]
# --- stub
def binding_index(tensors, name): ...
# --- solution
def binding_index(tensors, name):
    tensor, _, profile = name.partition(" [profile ")
    if tensor not in tensors:
        return -1
    return int(profile.rstrip("]") or 0) * len(tensors) + tensors.index(tensor)


# --- check


practice.check_binding_index(binding_index)

# %% [markdown]
# ### Exercise 4 · Which profile? (10 minutes)
#
# Write `choose_profile`: it gets an engine and a shape for each input, and returns the index of a profile that accepts
# them *all*. If several do, take the one with the fewest elements at max, over all inputs together: it is the tightest.
# If none does, return -1. The check brings engines of its own.
#
# <details><summary>Hint 1</summary>
#
# `engine.get_tensor_profile_shape(name, k)` gives min, opt and max of one input in profile k; a profile fits only if
# every input does.
#
# <details><summary>Hint 2</summary>
#
# `trt.volume(shape)` counts the elements of a shape. Collect (elements, k) for the profiles that fit, and take the
# smallest.
#
# </details></details>


# %% tags=["exercise"]
# --- stub
def choose_profile(engine, shapes): ...
# --- solution
def choose_profile(engine, shapes):
    fitting = []
    for k in range(engine.num_optimization_profiles):
        accepted, elements = True, 0
        for name, shape in shapes.items():
            low, _, high = engine.get_tensor_profile_shape(name, k)
            inside = [a <= n <= b for a, n, b in zip(low, shape, high, strict=True)]
            accepted = accepted and all(inside)
            elements += trt.volume(high)
        if accepted:
            fitting.append((elements, k))
    return min(fitting)[1] if fitting else -1


# --- check


practice.check_choose_profile(choose_profile)

# %% [markdown]
# ## You can now
#
# - ask an engine for the name, mode, dtype, shape and location of each I/O tensor,
# - say which shapes a profile accepts, and read the builder's complaints about a bad one,
# - switch profiles, and set the shapes again afterwards,
# - give each of two contexts a profile of its own,
# - read code with binding indices, and say why names are safer.
#
# **Do you remember?**
#
# <details><summary>1. Your engine has profiles for 1 and for 32 sentences. Who chooses?</summary>
# You do, with <code>set_optimization_profile_async</code>. A new context starts on profile 0.</details>
# <details><summary>2. A context says (1, -1) where the engine says (-1, -1). Has somebody set a shape?</summary>
# Not necessarily. Its profile may have the same min and max there.</details>
# <details><summary>3. An engine has 3 inputs, 1 output and 2 profiles. How many I/O tensors, how many bindings in
# TensorRT 8?</summary>4 I/O tensors, 8 bindings.</details>
#
# **Next:** what happens between `set_input_shape` and the result, and how it goes wrong, in
# [lesson 3, setting shapes](03_setting_shapes.ipynb).
