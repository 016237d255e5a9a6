# %% [markdown]
# # 7 · Making it fast
#
# At the end you have a picture of where the time went: from the code that people copy to an engine that does only what
# was asked for, one change at a time, each of them measured on your machine.
#
# **You learn** to time asynchronous work honestly; to count operations and bytes before you measure; what batching,
# less padding, length buckets, decoding inside the engine and a pipeline are worth, and where a prediction misses.<br>
# **You need** [lesson 4](04_async_execution_and_streams.ipynb) and
# [lesson 5](05_masked_word_decoding.ipynb).<br>
# **Time** 40 minutes.

# %% tags=["nbval-ignore-output"]
import statistics
import time

import torch

import trt_helpers as th
from trt_helpers import course

# %xmode Minimal
th.show_lane()

# %% [markdown]
# ## The work
#
# 16 texts, each with one `[MASK]`, some of them with more to read around it:

# %%
masked = [
    "Paris is the [MASK] of France.",
    "He drank a cup of [MASK].",
    "The primary [MASK] of the United States is English.",
    "A cat is an [MASK].",
    "Rome is the capital of [MASK].",
    "She opened the [MASK] and went out.",
]
more = " The weather was fine that day, and many people walked along the river."
texts = [masked[i % 6] + more * (i % 4) for i in range(16)]
lm = th.load_masked_lm()
lengths = [len(ids) for ids in lm.tokenizer(texts)["input_ids"]]
sorted(set(lengths)), sum(lengths)

# %% [markdown]
# The code that people copy pads every text to 128 tokens, sends one at a time, and gets a score for every word at every
# token. With the engine of lesson 5:

# %%
names = ["input_ids", "token_type_ids", "attention_mask"]
profile = th.Profile.same(names, min=(1, 4), opt=(8, 32), max=(8, 128))
context = th.load_engine(th.build_plan(th.export_onnx(lm), profile)).create_execution_context()


def tokens_of(batch, **options):
    encoded = lm.tokenizer(batch, return_tensors="pt", **options)
    return {name: encoded[name] for name in names}


def best_words(batch, **options):
    inputs = tokens_of(batch, **options)
    on_device = {name: tensor.to(th.device) for name, tensor in inputs.items()}
    logits = th.infer(context, on_device)["logits"].cpu()
    rows, positions = (inputs["input_ids"] == lm.tokenizer.mask_token_id).nonzero().T
    return lm.tokenizer.convert_ids_to_tokens(logits[rows, positions].argmax(-1).tolist())


def copied():
    fixed = {"padding": "max_length", "max_length": 128}
    return [word for text in texts for word in best_words([text], **fixed)]


words = copied()
words[:4]

# %% [markdown]
# ## Measure first
#
# **Before you run the next cell:** we time one execution twice, once without waiting for the stream and once with.
# Which time is that of the work?
#
# - **A.** the first: `execute_async_v3` has returned
# - **B.** the second
# - **C.** both; they are the same
#
# <details id="when-to-stop-the-clock"><summary>Answer</summary>
#
# - **A.** It is the time that it takes to put the work into a queue.
# - **B is right.** The work is done when the stream has come to its end.
# - **C.** That would be so if the call waited. It does not.
#
# </details>

# %%
stream = th.Stream()
tensors = {
    name: tensor.to(th.device) for name, tensor in tokens_of(texts[:8], padding=True).items()
}
th.infer(context, tensors, stream=stream)
start = time.perf_counter()
future = th.infer_async(context, tensors, stream=stream)
enqueued = time.perf_counter() - start
future.result()
done = time.perf_counter() - start
assert enqueued < done
print(f"enqueued after {1000 * enqueued:.2f} ms, done after {1000 * done:.2f} ms")

# %% [markdown]
# Three more habits: the first run does not count, since it loads and allocates; one run is an accident, so take the
# median of several; and take the variants in turns, so that whatever else your machine does falls on all of them.


# %%
def medians_ms(*variants, rounds=3):
    times = {work: [] for work in variants}
    for step in range(rounds + 1):
        for work in variants:
            start = time.perf_counter()
            assert work() == words
            if step:  # the first round warms up
                times[work].append(1000 * (time.perf_counter() - start))
    return [statistics.median(taken) for taken in times.values()]


# %% [markdown]
# Every variant must find the same words, or its time is worth nothing.
#
# ## Count, then measure
#
# A matrix product needs two operations for every weight and token. The weights of the six layers, and those of the last
# product, which gives a score to each of 30,522 words:

# %%
layers = sum(weight.numel() for weight in lm.model.bert.encoder.parameters() if weight.dim() == 2)
vocabulary = lm.model.config.hidden_size * lm.model.config.vocab_size
f"{layers:,} in the layers, {vocabulary:,} for the scores"

# %% [markdown]
# More than half of the work is to score words. And how often is it for nothing? Of the tokens that the copied code
# sends:

# %%
sent, used, asked = 16 * 128, sum(lengths), len(words)
scores = sent * 30522 * 4
f"{sent:,} tokens sent, {used:,} of them text, {asked} asked about; {scores:,} bytes of scores"

# %% [markdown]
# So there are three kinds of waste: calls (16, where 2 would do), padding, and scores that nobody reads. Which of them
# matters? The counts make a prediction. Let us take one away after the other.
#
# ## Batches
#
# Eight texts a call, everything else as it was:


# %%
def batched():
    batches = [texts[i : i + 8] for i in range(0, 16, 8)]
    fixed = {"padding": "max_length", "max_length": 128}
    return [word for batch in batches for word in best_words(batch, **fixed)]


# %% [markdown]
# **Before you run the next cell:** 2 calls instead of 16. What will batching alone bring on two CPU cores?
#
# - **A.** about eight times: eight texts a call
# - **B.** little: the same arithmetic, and a core is busy with one text as well as with eight
#
# <details id="batching-alone"><summary>Answer</summary>
#
# - **A.** That happens where a call is expensive and the device mostly idle: on a GPU.
# - **B is right.** The number of operations has not changed, and on a CPU even one text keeps the cores busy.
#
# </details>

# %%
steps = {}
steps["copied code"], steps["batches"] = medians_ms(copied, batched)
print("\n".join(f"{name}: {ms:.1f} ms" for name, ms in steps.items()))

# %% [markdown]
# On a CPU the larger batch can even be slower: eight times the scores no longer fit into the caches. The prediction
# "fewer calls, less time" counted the wrong thing.
#
# ## Less padding
#
# Pad each batch to its own longest text:


# %%
def padded_to_longest():
    batches = [texts[i : i + 8] for i in range(0, 16, 8)]
    return [word for batch in batches for word in best_words(batch, padding=True)]


# %% [markdown]
# Better still if texts of similar length share a batch. Sort, run, put the answers back into their order:


# %%
def in_buckets():
    order = sorted(range(16), key=lengths.__getitem__)
    found = [""] * 16
    for start in range(0, 16, 8):
        chosen = order[start : start + 8]
        best = best_words([texts[i] for i in chosen], padding=True)
        for index, word in zip(chosen, best, strict=True):
            found[index] = word
    return found


sent_sorted = sum(8 * max(sorted(lengths)[i : i + 8]) for i in range(0, 16, 8))
sent_unsorted = sum(8 * max(lengths[i : i + 8]) for i in range(0, 16, 8))
f"tokens sent: {sent:,} at 128, {sent_unsorted:,} padded to the longest, {sent_sorted:,} sorted"

# %%
taken = medians_ms(copied, padded_to_longest, in_buckets)
steps["copied code"], steps["padded to the longest"], steps["sorted"] = taken
assert th.device.type == "cuda" or steps["padded to the longest"] < steps["copied code"] * 0.8
print("\n".join(f"{name}: {ms:.1f} ms" for name, ms in steps.items()))

# %% [markdown]
# On a CPU the count predicted well this time: fewer tokens, less time, in about that proportion. (A GPU is so quick
# with so little work that calls and copies take longer: nothing is asserted there.) In a service each length class, or
# *bucket*, gets an optimization profile of its own: on a GPU TensorRT then chooses kernels for that length.
#
# ## Decode inside the engine
#
# Now the scores. A second export takes a fourth input, the places asked about, and picks them out *before* the last
# product. Softmax and TopK run in the graph, too (`trt_helpers/decoding/graph.py`; the core of it):
#
# ```python
# hidden = bert(input_ids, token_type_ids, attention_mask)          # (batch, sequence, 384)
# asked = hidden[mask_positions[:, 0], mask_positions[:, 1]]        # (masks, 384)
# top = head(asked).softmax(-1).topk(32)                            # (masks, 32)
# ```

# %%
three = th.Profile.same(names, min=(1, 4), opt=(8, 32), max=(8, 128))
four = three | {"mask_positions": ((1, 2), (8, 2), (32, 2))}
decoding_engine = th.load_engine(th.build_plan(th.export_decoder(lm), [th.Profile(four)] * 2))
th.describe_engine(decoding_engine)

# %% [markdown]
# **Before you run the next cell:** by the counts, scores were more than half of the arithmetic. Now one token of a text
# is scored instead of all. How much faster can it be than `sorted`, at most?
#
# - **A.** about 2 times
# - **B.** as often as there are tokens in a text, 10 to 40 times
#
# <details id="half-of-the-work"><summary>Answer</summary>
#
# - **A is right.** The layers still have to read every token. What remains limits what can be won.
# - **B.** True of the scores alone, and of the bytes that leave the engine.
#
# </details>

# %%
decoding_context = decoding_engine.create_execution_context()


def with_positions(batch):
    inputs = tokens_of(batch, padding=True)
    places = (inputs["input_ids"] == lm.tokenizer.mask_token_id).nonzero()
    # nonzero lays its columns one after the other
    return inputs | {"mask_positions": places.contiguous()}


def decoded_inside():
    order = sorted(range(16), key=lengths.__getitem__)
    found = [""] * 16
    for start in range(0, 16, 8):
        chosen = order[start : start + 8]
        inputs = with_positions([texts[i] for i in chosen])
        on_device = {name: tensor.to(th.device) for name, tensor in inputs.items()}
        top = th.infer(decoding_context, on_device)["top_ids"]
        best = lm.tokenizer.convert_ids_to_tokens(top[:, 0].tolist())
        for index, word in zip(chosen, best, strict=True):
            found[index] = word
    return found


# %%
steps["sorted"], steps["decoded inside"] = medians_ms(in_buckets, decoded_inside)
assert steps["decoded inside"] < steps["sorted"] * 0.8
bytes_out = len(words) * 32 * (8 + 4)
print("\n".join(f"{name}: {ms:.1f} ms" for name, ms in steps.items()))
print(f"{bytes_out:,} bytes leave the engine instead of {sent_sorted * 30522 * 4:,}")

# %% [markdown]
# Fewer operations, and almost nothing to copy. If your machine won more than twice: a score for every word has to be
# written and read again, which the count of operations did not see; and this graph computes the last layer, too, for
# the tokens asked about only.
#
# ## A pipeline
#
# While one batch is computed, the next can be tokenised, and copied. `th.Pipeline` (lesson 4) with two contexts:


# %%
pipeline = th.Pipeline(decoding_engine)


def piped():
    order = sorted(range(16), key=lengths.__getitem__)
    batches = [order[i : i + 8] for i in range(0, 16, 8)]
    found = {}
    results = pipeline.map(with_positions([texts[i] for i in chosen]) for chosen in batches)
    for chosen, outputs in zip(batches, results, strict=True):
        best = lm.tokenizer.convert_ids_to_tokens(outputs["top_ids"][:, 0].tolist())
        found |= dict(zip(chosen, best, strict=True))
    return [found[i] for i in range(16)]


# %%
steps["decoded inside"], steps["pipeline"] = medians_ms(decoded_inside, piped)
print("\n".join(f"{name}: {ms:.1f} ms" for name, ms in steps.items()))

# %% [markdown]
# On a CPU there is little to win, and nothing is asserted: tokeniser and engine want the same cores, and nothing has to
# be copied. On a GPU they are different machines, and the tokeniser becomes the slower one.
#
# ## From there to here

# %%
alt = "A bar for each step's time. The shortest are those that decode inside the engine."
course.picture(course.draw_waterfall(steps), alt=alt)

# %% [markdown]
# All of it in two lines, for any number of texts, several masks each, buckets as profiles, buffers used again:

# %%
decoder = th.MaskedWordDecoder.from_pretrained()
filled = decoder(texts, top_k=3)
assert [result.candidates[0][0].word for result in filled] == words
print(filled[0])

# %% [markdown]
# ## On a GPU
#
# Two more changes pay there. FP16 halves the bytes of every weight and uses the tensor cores; in a strongly typed
# network it is part of the model ([lesson 6](06_migrating_from_tensorrt_8.ipynb)). A CUDA graph launches all kernels of
# an execution together, for one shape and one set of addresses ([lesson 4](04_async_execution_and_streams.ipynb)):

# %% tags=["lane-output"]
if th.device.type == "cuda":
    future = th.infer_async(context, tensors, stream=stream)
    outputs = future.result()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream.torch_stream):
        assert context.execute_async_v3(stream.handle), th.logger.last_error

    def run(enqueue):
        start = time.perf_counter()
        for _ in range(20):
            enqueue()
        stream.synchronize()
        return 1000 * (time.perf_counter() - start) / 20

    launched = statistics.median(
        run(lambda: context.execute_async_v3(stream.handle)) for _ in range(5)
    )
    replayed = statistics.median(run(lambda: stream.enqueue(graph.replay)) for _ in range(5))
    assert replayed < launched
    print(f"launched one by one: {launched:.2f} ms, as a graph: {replayed:.2f} ms")
else:
    print("not executed here: needs a CUDA GPU")

# %% [markdown]
# The project's own comparison with other libraries, on 2,000 sentences, is `make bench`.
#
# ## Your turn
#
# Start afresh: `make pristine LESSON=07` (your copy is kept).

# %%
from trt_helpers.course import practice

# %% [markdown]
# ### Exercise 1 · Count (3 minutes)
#
# Write `operations`: how many operations do the matrix products with weights need for a batch? `layers` and
# `vocabulary` are numbers of weights as above, `tokens` go through the layers, `asked` of them get scores.
#
# <details><summary>Hint 1</summary>
#
# Two operations for every weight and token that meets it.
#
# <details><summary>Hint 2</summary>
#
# The vocabulary's weights meet only the tokens asked about.
#
# </details></details>


# %% tags=["exercise"]
# --- stub
def operations(layers, vocabulary, tokens, asked): ...
# --- solution
def operations(layers, vocabulary, tokens, asked):
    return 2 * (layers * tokens + vocabulary * asked)


# --- check


practice.check_operations(operations)

# %% [markdown]
# ### Exercise 2 · An honest clock (5 minutes)
#
# Write `time_ms`: it executes a context on a stream once and returns the milliseconds that it took, as a number. What
# was on the stream before does not belong to it.
#
# <details><summary>Hint 1</summary>
#
# Wait before you start the clock, and before you stop it.
#
# <details><summary>Hint 2</summary>
#
# `stream.synchronize()`, twice; `time.perf_counter()` counts seconds.
#
# </details></details>


# %% tags=["exercise"]
# --- stub
def time_ms(context, stream): ...
# --- solution
def time_ms(context, stream):
    stream.synchronize()
    start = time.perf_counter()
    assert context.execute_async_v3(stream.handle), th.logger.last_error
    stream.synchronize()
    return 1000 * (time.perf_counter() - start)


# --- check


practice.check_time_ms(time_ms)

# %% [markdown]
# ### Exercise 3 · Batches (10 minutes)
#
# Write `make_batches`: it gets the lengths of texts and the most tokens that a batch may have, padding included, and
# returns lists of indices. Each text comes once; as few tokens as possible are padding.
#
# <details><summary>Hint 1</summary>
#
# `sorted(range(len(lengths)), key=lengths.__getitem__)` gives the indices, the shortest text first.
#
# <details><summary>Hint 2</summary>
#
# A batch of n texts whose longest has m tokens has n * m. Begin a new one when the next text would make it too large.
#
# </details></details>


# %% tags=["exercise"]
# --- stub
def make_batches(lengths, most_tokens): ...
# --- solution
def make_batches(lengths, most_tokens):
    batches = [[]]
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if (len(batches[-1]) + 1) * lengths[index] > most_tokens:
            batches.append([])
        batches[-1].append(index)
    return batches


# --- check


practice.check_make_batches(make_batches)

# %% [markdown]
# ## You can now
#
# - time asynchronous work: warm up, wait, take the median, take variants in turns,
# - count operations and bytes, and know what a change can win before you make it,
# - say why batching alone brings little on a CPU and much on a GPU,
# - save padding with sorted batches and a profile for each bucket,
# - decode inside the engine, so that nobody computes or copies what nobody reads.
#
# **Do you remember?**
#
# <details><summary>1. A step should have won half, and won nothing. What do you do?</summary>
# Count again: it has saved something that did not cost the time.</details>
# <details><summary>2. Why is the first run slower?</summary>
# It loads, compiles and allocates what later runs use again.</details>
# <details><summary>3. Scores were half of the work, and now are free. How much faster, at most?</summary>
# Twice. What remains limits what can be won.</details>
#
# **Next:** [lesson 8](08_scaling_out.ipynb), where several workers share a pile of sentences and one of them dies.
