# %% [markdown]
# # 4 · Async execution and streams
#
# At the end you have a picture, measured on your machine, of copies and executions that overlap, and can say for each
# of them what it waits for.
#
# **You learn** what `execute_async_v3` returning means; four races and what ends each; pinned memory; two contexts at
# once; double buffering; a pipeline; CUDA graphs.<br>
# **You need** [lesson 1](01_core_concepts.ipynb) and [lesson 3](03_setting_shapes.ipynb).<br>
# **Time** 45 minutes.

# %% tags=["nbval-ignore-output"]
import os
import time

import onnx.parser
import torch
from IPython.display import HTML

import trt_helpers as th
from trt_helpers import course

# %xmode Minimal
th.show_lane()

# %% [markdown]
# ## Returned is not done
#
# The BERT, with a profile for each of two contexts. On the CPU one execution would take all cores; with one thread,
# there is room for a second.

# %%
os.environ["TRT_HELPERS_THREADS"] = "1"  # of no effect on a GPU
lm = th.load_masked_lm()
names = ["input_ids", "token_type_ids", "attention_mask"]
profile = th.Profile.same(names, min=(1, 4), opt=(4, 32), max=(8, 64))
engine = th.load_engine(th.build_plan(th.export_onnx(lm), [profile, profile]))
engine.num_optimization_profiles

# %% [markdown]
# A context, its stream, and tensors for four sentences of 32 tokens. The first run loads what later ones reuse:


# %%
def ready(profile_index):
    context, stream = engine.create_execution_context(), th.Stream()
    context.set_optimization_profile_async(profile_index, stream.handle)
    tensors = {name: torch.ones(4, 32, dtype=torch.int64, device=th.device) for name in names}
    th.set_input_shapes(context, tensors)
    tensors |= th.allocate_outputs(context)
    th.bind(context, tensors)
    stream.wait_stream(th.default_stream())  # on a GPU PyTorch fills the tensors there
    assert context.execute_async_v3(stream.handle), th.logger.last_error
    stream.synchronize()
    return context, stream, tensors


bert, stream, tensors = ready(0)

# %% [markdown]
# The call alone, then the work:

# %%
start = time.perf_counter()
enqueued = bert.execute_async_v3(stream.handle)
returned = time.perf_counter() - start
stream.synchronize()
done = time.perf_counter() - start
assert enqueued and (th.device.type == "cuda" or returned < done / 2)
print(f"returned after {1000 * returned:.2f} ms, done after {1000 * done:.2f} ms")

# %% [markdown]
# The call only puts work into a queue. On a GPU that is a CUDA stream. (There a small model can be done as soon as its
# queue is filled: nothing is asserted.) On the CPU it is a worker thread with the same promises: first in, first out,
# and nothing about other streams.
#
# ## Too early
#
# For the races a model to check in your head, which doubles its input:

# %%
double = onnx.parser.parse_model("""
    <ir_version: 10, opset_import: ["": 20]>
    double (float[n] x) => (float[n] y) { y = Add(x, x) }
""").SerializeToString()
plan = th.build_plan(double, th.Profile(x=((4,), (4,), (4,))))
doubler = th.load_engine(plan).create_execution_context()
x = torch.zeros(4, device=th.device)
y = torch.zeros(4, device=th.device)
th.bind(doubler, {"x": x, "y": y})


def fill(tensor, value):
    tensor.fill_(value)
    th.default_stream().synchronize()  # on a GPU PyTorch works on a stream, too: wait for it


fill(x, 1)
assert doubler.execute_async_v3(stream.handle), th.logger.last_error
stream.synchronize()
y.tolist()

# %% [markdown]
# A race that is lost once in a thousand runs teaches nothing, so we decide who wins. A `th.Gate` holds a stream until
# the end of its `with` block: what is enqueued meanwhile has certainly not begun.
#
# **Before you run the next cell:** `y` is set to -1, the execution is accepted, and we read `y` while the stream is
# held. What do we see?
#
# - **A.** `[2.0, 2.0, 2.0, 2.0]`
# - **B.** `[-1.0, -1.0, -1.0, -1.0]`
# - **C.** an error, because the result is not there yet
#
# <details id="read-too-early"><summary>Answer</summary>
#
# - **A.** That is what will be there when the stream has come to it. Reading does not wait for it.
# - **B is right.** What was in `y` before. Had it been an older result, it would look right.
# - **C.** A tensor is memory. It does not know that somebody is going to write to it.
#
# </details>

# %%
fill(y, -1)
with th.Gate() as gate:
    gate.hold(stream)
    assert doubler.execute_async_v3(stream.handle)
    early = y.tolist()
early

# %% [markdown]
# The remedy you know: wait for the stream.

# %%
stream.synchronize()
y.tolist()

# %% [markdown]
# That waits for everything in the queue. An *event* is a mark at one place in it, to ask about or to wait for:

# %%
with th.Gate() as gate:
    gate.hold(stream)
    assert doubler.execute_async_v3(stream.handle)
    finished = stream.record_event()
    print("inside:", finished.query())
finished.synchronize()
print("after waiting:", finished.query())

# %% [markdown]
# On a GPU `th.Event` and `th.Stream` are PyTorch's own (`trt_helpers/streams.py`).
#
# ## Overwritten too early
#
# The other end of the work: its inputs. Somebody refills `x` on another stream, from pinned memory (more
# below):

# %%
copying = th.Stream()
fresh = th.pinned_empty((4,)).fill_(100)
th.copy_async(x, fresh, copying)
copying.synchronize()
fill(x, 1)

# %% [markdown]
# **Before you run the next cell:** the execution is enqueued while `x` is 1, and starts after `x` was set to 100. Which
# `x` is doubled?
#
# - **A.** the 1 of the moment when we called
# - **B.** the 100 of the moment when it runs
#
# <details id="overwrite-too-early"><summary>Answer</summary>
#
# - **A.** The call has kept the address of `x`, not its values.
# - **B is right.** The input is read when the stream comes to it. The request got the next one's data.
#
# </details>

# %%
with th.Gate() as gate:
    gate.hold(stream)
    assert doubler.execute_async_v3(stream.handle)
    th.copy_async(x, fresh, copying)
    copying.synchronize()
stream.synchronize()
y.tolist()

# %% [markdown]
# 200 instead of 2, and no complaint. TensorRT records an event of ours when it has read its inputs, the *input-consumed
# event*. The copy waits for that, on its stream, while our program goes on:

# %%
consumed = th.Event()
assert doubler.set_input_consumed_event(consumed.handle)
fill(x, 1)
with th.Gate() as gate:
    gate.hold(stream)
    assert doubler.execute_async_v3(stream.handle)
    copying.wait_event(consumed)
    th.copy_async(x, fresh, copying)
stream.synchronize()
copying.synchronize()
y.tolist(), x.tolist()

# %% [markdown]
# Doubled first, then refilled. The context has only the event's handle: keep the event alive, and take it away with 0.
# (The reference lane's fires when the execution ends: later, never too early.)

# %%
doubler.set_input_consumed_event(0), doubler.get_input_consumed_event()

# %% [markdown]
# ## A producer on another stream
#
# Now the input comes from another stream:

# %%
fill(x, 1)
with th.Gate() as gate:
    gate.hold(copying)
    th.copy_async(x, fresh, copying)  # on its way
    assert doubler.execute_async_v3(stream.handle)
    stream.synchronize()
copying.synchronize()
y.tolist()

# %% [markdown]
# The old `x` was doubled: two streams know nothing of each other. `wait_stream` ties them together: what is enqueued on
# `stream` from now on waits for what `copying` has been given so far. Nobody waits in Python.

# %%
fill(x, 1)
with th.Gate() as gate:
    gate.hold(copying)
    th.copy_async(x, fresh, copying)
    stream.wait_stream(copying)
    assert doubler.execute_async_v3(stream.handle)
    print("done inside:", stream.query())
stream.synchronize()
y.tolist()

# %% [markdown]
# The same for whoever reads `y`. On a GPU PyTorch itself works on a stream, its current one: it makes your inputs and
# reads your outputs, and nothing orders it with yours. So wait both ways. `th.infer` does.

# %%
reader, result = th.Stream(), th.pinned_empty((4,)).fill_(-1)
fill(x, 7)
assert doubler.execute_async_v3(stream.handle), th.logger.last_error
reader.wait_stream(stream)  # without this line: sometimes 14, sometimes the older 200
th.copy_async(result, y, reader)
reader.synchronize()
result.tolist()

# %% [markdown]
# ## The default stream
#
# What of handle 0? It is what `torch.cuda.current_stream()` is, if nobody has chosen another.

# %% tags=["lane-output"]
doubler.execute_async_v3(0), th.default_stream().synchronize()

# %% [markdown]
# It works, with a warning, one for each context: TensorRT then waits in places of its own. It orders nothing with the
# streams above.
#
# ## Pinned memory
#
# A GPU reads and writes the computer's memory by itself only if that is *pinned*, that is, not moved. Pageable memory
# CUDA copies to a pinned buffer of its own first, and the call waits: from there `non_blocking=True` changes nothing.
# `th.copy_async` is `copy_(source, non_blocking=True)` on a stream; `th.pinned_empty` is
# `torch.empty(..., pin_memory=True)`.

# %% tags=["lane-output"]
if th.device.type == "cuda":
    sources = {"pageable": torch.ones(2**26), "pinned": th.pinned_empty((2**26,)).fill_(1)}
    target, returned = torch.empty(2**26, device=th.device), {}
    for kind in ("pageable", "pinned", "pageable", "pinned"):  # the first of each only warms up
        start = time.perf_counter()
        th.copy_async(target, sources[kind], copying)
        returned[kind] = time.perf_counter() - start
        copying.synchronize()
        done = time.perf_counter() - start
        print(f"{kind}: returned after {1000 * returned[kind]:.2f} ms, done {1000 * done:.2f} ms")
    assert returned["pinned"] < returned["pageable"] / 2
else:
    print("not run here: without a GPU there is nothing to pin for")

# %% [markdown]
# ## Two contexts at once
#
# One context is one request at a time. Two share the weights; shapes and addresses are each one's own. First both on
# one stream, then a stream each. A `Timeline` notes with events when each execution started and ended
# (`trt_helpers/timeline.py`):

# %%
other_bert, other_stream, other_tensors = ready(1)
assert other_bert.execute_async_v3(stream.handle)  # once on the other's stream, to warm up
stream.synchronize()


def run_both(second_stream):
    timeline = th.Timeline()
    turns = [("first", bert, stream), ("second", other_bert, second_stream)]
    with th.Gate() as gate:
        for used in {stream, second_stream}:
            gate.hold(used)
        for row, context, used in turns * 2:
            with timeline.span(used, row, "execute"):
                assert context.execute_async_v3(used.handle), th.logger.last_error
    return timeline.spans()


# %% [markdown]
# **Before you run the next cell:** two executions of each context, all on one stream. For how long do two of them run
# at the same time?
#
# - **A.** not at all
# - **B.** all the time, since there are two contexts
#
# <details id="one-stream"><summary>Answer</summary>
#
# - **A is right.** A stream does one thing after the other, whoever enqueued it.
# - **B.** Contexts make it possible, streams make it happen.
#
# </details>

# %%
one_after_the_other = run_both(stream)
th.overlap_ms(one_after_the_other)

# %%
side_by_side = run_both(other_stream)
assert th.overlap_ms(side_by_side) > 0
for words, spans in (("on one stream", one_after_the_other), ("on two", side_by_side)):
    print(f"{words}: {max(s.end_ms for s in spans) - spans[0].start_ms:.1f} ms")

# %% [markdown]
# Now they overlap. They are sooner done if one leaves something for the other: a second core, or a part of the GPU.
# (Never use one context from two threads, or on two streams at once: TensorRT leaves open what happens then. `th.infer`
# refuses a second thread while it is at work.)
#
# ## Double buffering
#
# Real requests come from the computer's memory and go back there. While one context computes, the other's data can be
# on its way. So each gets buffers of its own, host and device:


# %%
def slot(number, context, stream, tensors):
    host_in = {name: th.pinned_empty((4, 32), torch.int64).fill_(1) for name in names}
    host_out = th.pinned_empty(tensors["logits"].shape)
    return f"stream {number}", context, stream, tensors, host_in, host_out


slots = [slot(1, bert, stream, tensors), slot(2, other_bert, other_stream, other_tensors)]

# %% [markdown]
# The three steps of one request. Nothing in here waits:


# %%
def enqueue(timeline, row, context, stream, tensors, host_in, host_out):
    with timeline.span(stream, row, "copy in"):
        for name in names:
            th.copy_async(tensors[name], host_in[name], stream)
    with timeline.span(stream, row, "execute"):
        assert context.execute_async_v3(stream.handle), th.logger.last_error
    with timeline.span(stream, row, "copy out"):
        th.copy_async(host_out, tensors["logits"], stream)


# %% [markdown]
# Six requests, taking turns. Before a slot is refilled, its last request must be done, and only that one: its result is
# read while the other slot works. (Nothing is masked, so the model gives each word back.)

# %%
words = ["paris", "baseball", "english", "nine", "topology", "france"]
timeline, done, read = th.Timeline(), {}, []
for number in range(len(words) + 2):
    row, context, used, on_device, host_in, host_out = slots[number % 2]
    if row in done:
        done[row].synchronize()
        read.append(lm.tokenizer.decode(host_out[0, 0].argmax()))
    if number < len(words):
        host_in["input_ids"].fill_(lm.tokenizer.convert_tokens_to_ids(words[number]))
        enqueue(timeline, row, context, used, on_device, host_in, host_out)
        done[row] = used.record_event()
read

# %% [markdown]
# This is when it happened. Each row keeps its order; between the rows there is none:

# %%
spans = timeline.spans()
assert th.device.type == "cuda" or th.overlap_ms(spans) > 0  # a GPU may be faster than this loop
alt = "Two rows, one for each stream: three times copy in, execute, copy out, side by side."
course.picture(course.draw_timeline(spans), alt=alt)

# %% [markdown]
# Copies stick out: in upwards, out downwards. On a GPU they have hardware of their own. Choose streams, contexts and
# the size of the copies (`trt_helpers/course/views/stream_timeline.py`):

# %%
view = course.StreamTimeline(engine)
view

# %% [markdown]
# With one context, each execution waits for the one before:

# %%
view.contexts.value = 1
HTML(view.result.value)

# %% [markdown]
# With larger copies, and the events that are waited for:

# %%
spans = course.measure_streams(engine, streams=2, contexts=1, mebibytes=64)
assert th.overlap_ms(spans) < 0.1
alt = "Two rows. Their executions take turns; each begins behind an event."
course.picture(course.draw_streams(spans, 2, 1), alt=alt)

# %% [markdown]
# ## The result later
#
# `th.infer_async` is `th.infer` without the wait: it returns a future, whose `result()` waits for its own event
# (`trt_helpers/async_execution.py`).
#
# Inputs and outputs must live until then. On a GPU PyTorch gives a forgotten tensor's memory away at once, unless
# `tensor.record_stream` has told it of your stream. `infer_async` and `copy_async` do (`stream.keep`); after a bare
# `execute_async_v3` it is up to you.

# %%
with th.Gate() as gate:
    gate.hold(stream)
    future = th.infer_async(doubler, {"x": x}, stream=stream)
    print("done inside:", future.done())
future.result()["y"].tolist()

# %% [markdown]
# ## Many requests in flight
#
# `th.Pipeline` is the loop above as a helper (`trt_helpers/pipeline.py`): a context and a stream for each profile, two
# requests in flight on each, results in order. One request here is too large.
#
# **Before you run the next cell:** what becomes of the requests behind it?
#
# - **A.** they are lost, as `map` raises
# - **B.** they get their results, in order, and the bad one its error in its place
# - **C.** they get their results, and the bad one is left out
#
# <details id="bad-request"><summary>Answer</summary>
#
# - **A.** So it would be without `return_exceptions=True`.
# - **B is right.** A refused shape changes nothing; the context goes on to the next request.
# - **C.** Then nobody could tell which result belongs to which request.
#
# </details>


# %% tags=["lane-output"]
def request(batch):
    return {name: torch.ones(batch, 8, dtype=torch.int64) for name in names}


with th.Pipeline(engine) as pipeline:
    results = pipeline.map((request(batch) for batch in (1, 2, 9, 3)), return_exceptions=True)
    shapes = [
        tuple(result["logits"].shape) if isinstance(result, dict) else str(result).splitlines()[0]
        for result in results
    ]
shapes

# %% [markdown]
# It takes a request only when there is room, copies it at once, and hands out results that stay valid. (After an error
# of CUDA, restart the process.)
#
# ## CUDA graphs
#
# On a GPU a small model spends much of its time on launching kernels. A CUDA graph records them once and launches them
# together. The rules: run once before, since the first run does what cannot be recorded; capture on a stream of your
# own; copy new requests into the same tensors; after a new shape, a new address or a profile switch, capture again.


# %% tags=["lane-output"]
def capture(context, stream):
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream.torch_stream):
        assert context.execute_async_v3(stream.handle), th.logger.last_error
    return graph


if th.device.type == "cuda":
    th.bind(doubler, {"x": x, "y": y})
    graph = capture(doubler, stream)
    th.copy_async(x, fresh.fill_(21), stream)
    stream.enqueue(graph.replay)
    stream.synchronize()
    assert y.tolist() == [42.0] * 4
    print("captured, refilled, replayed:", y.tolist())
else:
    print("not executed here: needs a CUDA GPU")

# %% [markdown]
# ## Your turn
#
# Start afresh: `make pristine LESSON=04` (your copy is kept). The checks hold streams with gates.

# %%
from trt_helpers.course import practice

# %% [markdown]
# ### Exercise 1 · Wait for the producer (3 minutes)
#
# Write `run_after`: it enqueues an execution on `stream` that starts only when all work on `producer` is done. It
# returns without waiting.
#
# <details><summary>Hint 1</summary>
#
# One line before `execute_async_v3`.
#
# <details><summary>Hint 2</summary>
#
# `producer.synchronize()` would make Python wait. The stream shall wait.
#
# </details></details>


# %% tags=["exercise"]
# --- stub
def run_after(context, stream, producer): ...
# --- solution
def run_after(context, stream, producer):
    stream.wait_stream(producer)
    return context.execute_async_v3(stream.handle)


# --- check


practice.check_run_after(run_after)

# %% [markdown]
# ### Exercise 2 · Refill (5 minutes)
#
# Write `run_and_refill`: it enqueues an execution on `stream`, and on `copying` a copy of `new` into `x`, the engine's
# input. The execution reads the old `x`, and Python waits for nothing.
#
# <details><summary>Hint 1</summary>
#
# The copy has to wait for something that happens on the other stream.
#
# <details><summary>Hint 2</summary>
#
# Either `stream.record_event()` behind the execution, or the input-consumed event, which comes sooner.
#
# </details></details>


# %% tags=["exercise"]
# --- stub
def run_and_refill(context, stream, copying, x, new): ...
# --- solution
def run_and_refill(context, stream, copying, x, new):
    enqueued = context.execute_async_v3(stream.handle)
    copying.wait_event(stream.record_event())
    th.copy_async(x, new, copying)
    return enqueued


# --- check


practice.check_run_and_refill(run_and_refill)

# %% [markdown]
# ### Exercise 3 · Your own pipeline (15 minutes)
#
# Write the generator `two_at_a_time`: it gets an engine with two profiles, one input and one output, and input tensors.
# It yields the outputs in order, and enqueues the second request before it waits for the first.
#
# <details><summary>Hint 1</summary>
#
# Two contexts, one on each profile, taking turns. `th.infer_async(context, {name: tensor})` returns a future.
#
# <details><summary>Hint 2</summary>
#
# Keep the futures in a list; when there are two, `yield` the result of the first. At the end, yield what is left.
#
# </details></details>


# %% tags=["exercise"]
# --- stub
def two_at_a_time(engine, tensors):
    yield ...


# --- solution
def two_at_a_time(engine, tensors):
    contexts = [engine.create_execution_context() for _ in range(2)]
    second_stream = th.Stream()
    contexts[1].set_optimization_profile_async(1, second_stream.handle)
    second_stream.synchronize()
    futures = []
    for number, tensor in enumerate(tensors):
        futures.append(th.infer_async(contexts[number % 2], {engine[0]: tensor}))
        if len(futures) == 2:
            yield futures.pop(0).result()[engine[1]]
    for future in futures:
        yield future.result()[engine[1]]


# --- check


practice.check_two_at_a_time(two_at_a_time)

# %% [markdown]
# ## You can now
#
# - say what has happened when `execute_async_v3` returns, and what has not,
# - recognise the four races by their wrong numbers, and end each with an event or `wait_stream`,
# - make copies that really are asynchronous,
# - run two contexts side by side with buffers of their own, and read the timeline,
# - keep many requests in flight without losing one.
#
# **Do you remember?**
#
# <details><summary>1. A result is right in the debugger and wrong at full speed. What do you look for?</summary>
# A read or a write that does not wait: the debugger gives the stream time.</details>
# <details><summary>2. Two contexts, and still nothing overlaps. Why?</summary>
# They share a stream, or one of them leaves nothing for the other.</details>
# <details><summary>3. When may you overwrite an input?</summary>
# When the input-consumed event has fired, or the stream has been synchronised.</details>
#
# **Next:** real sentences in real batches, in [lesson 5, masked-word decoding](05_masked_word_decoding.ipynb).
