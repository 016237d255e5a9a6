# %% [markdown]
# # 5 · Masked-word decoding
#
# At the end you type a sentence with a `[MASK]` in it and read the words that a TensorRT engine proposes.
#
# **You learn** how text becomes input tensors and logits become words; what ids of the wrong width, padding and a
# forgotten mask do to the answer; how to check an engine against PyTorch.<br>
# **You need** [lesson 1](01_core_concepts.ipynb): plan, engine, context.<br>
# **Time** 30 minutes.

# %% tags=["nbval-ignore-output"]
import pandas as pd
import torch
from IPython.display import HTML

import trt_helpers as th
from trt_helpers import course

# %xmode Minimal
th.show_lane()

# %% [markdown]
# ## Four sentences
#
# A masked language model was trained to guess hidden words. We hide one word each, and load model and tokenizer, which
# are Hugging Face's:
#
# ```python
# # trt_helpers/decoding/model.py, in short
# model = AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32).eval()
# tokenizer = AutoTokenizer.from_pretrained(folder)
# ```

# %%
sentences = [
    "Paris is the [MASK] of France.",
    "The primary [MASK] of the United States is English.",
    "A baseball game consists of at least nine [MASK].",
    "Topology is a branch of [MASK] concerned with the properties of geometric objects "
    "that remain unchanged under continuous transformations.",
]
lm = th.load_masked_lm()
ids = lm.tokenizer(sentences[0])["input_ids"]
ids

# %% [markdown]
# Nine numbers for six words and a full stop: the tokenizer adds one at each end. Which?

# %%
lm.tokenizer.convert_ids_to_tokens(ids)

# %% [markdown]
# The model will score all 30,522 words of its vocabulary at *every* position. We want the position of `[MASK]`:

# %%
mask_id = lm.tokenizer.mask_token_id
[lm.tokenizer(sentence)["input_ids"].index(mask_id) for sentence in sentences]

# %% [markdown]
# ## One engine
#
# The export is PyTorch's own. It gets a name for each dynamic dimension, the same for all three inputs:
#
# ```python
# # trt_helpers/decoding/model.py, in short
# shape = {0: torch.export.Dim("batch", min=1, max=64), 1: torch.export.Dim("sequence", min=4, max=512)}
# torch.onnx.export(model, kwargs=example, dynamic_shapes={name: shape for name in names}, output_names=["logits"])
# ```
#
# Export, build, load, as in lesson 1. The profile allows 1 to 8 sentences of 4 to 128 tokens:

# %%
names = ["input_ids", "token_type_ids", "attention_mask"]
profile = th.Profile.same(names, min=(1, 4), opt=(4, 32), max=(8, 128))
engine = th.load_engine(th.build_plan(th.export_onnx(lm), profile))
context = engine.create_execution_context()
th.describe_engine(engine)

# %% [markdown]
# Three inputs: the ids; which of two texts a token belongs to (always 0 here); and the attention mask, 1 for a token
# and 0 for padding.
#
# ## Every sentence at length 128
#
# Much code pads every sentence to one fixed length. It is the simplest thing that works:

# %%
padded = lm.tokenizer(sentences, padding="max_length", max_length=128, return_tensors="pt")
padded["input_ids"].shape, padded["attention_mask"].sum(dim=1)

# %% [markdown]
# The sums say how many of the 128 positions carry words. One inference for each sentence:

# %%
fixed = []
for row in range(4):
    one = {name: padded[name][row : row + 1].to(th.device) for name in names}
    fixed.append(th.infer(context, one)["logits"])
[tuple(logits.shape) for logits in fixed]

# %% [markdown]
# Logits are scores. Softmax makes them probabilities, `topk` finds the best five, the tokenizer gives their names:

# %%
at_mask = fixed[0][0, 4]
top = at_mask.softmax(dim=-1).topk(5)
best = lm.tokenizer.convert_ids_to_tokens(top.indices.tolist())
[(word, round(probability, 2)) for word, probability in zip(best, top.values.tolist(), strict=True)]

# %% [markdown]
# Those lines are `th.decode_top_k`. And where is `[MASK]` in a whole batch? A comparison and `nonzero` give row and
# position:

# %%
(padded["input_ids"] == mask_id).nonzero()

# %% [markdown]
# That is `th.find_masks`, as a list of pairs. Both live in `trt_helpers/decoding/model.py`. The five best words for
# each sentence:

# %%
places = th.find_masks(lm, padded["input_ids"])
words = [[c.word for c in th.decode_top_k(lm, fixed[row][0, position])] for row, position in places]
pd.DataFrame(words, columns=["best", "2", "3", "4", "5"])

# %% [markdown]
# ## All four in one batch
#
# The engine takes 4 to 128 tokens. Why send 128? With `padding=True` the tokenizer pads to the longest sentence of the
# batch only:

# %%
batch = lm.tokenizer(sentences, padding=True, return_tensors="pt")
{name: tuple(tensor.shape) for name, tensor in batch.items()}

# %%
on_device = {name: tensor.to(th.device) for name, tensor in batch.items()}
logits = th.infer(context, on_device)["logits"]
tuple(logits.shape)

# %% [markdown]
# One inference instead of four, and far fewer positions. (`th.tokenize` does this, and refuses empty sentences and
# those that are too long.)
#
# **Before you run the next cell:** less padding, longer sentences beside it. Will the words be the same?
#
# - **A.** yes, all of them
# - **B.** only those of the longest sentence
# - **C.** no, neighbours in a batch mix
#
# <details id="less-padding"><summary>Answer</summary>
#
# - **A is right.** The mask makes padding count for nothing, be it little or much.
# - **B.** It has no padding now; for the others the mask hides it.
# - **C.** Attention looks along a sentence, never across the batch.
#
# </details>

# %%
dynamic_words = [
    [c.word for c in th.decode_top_k(lm, logits[row, position])] for row, position in places
]
dynamic_words == words

# %% [markdown]
# ## What padding costs
#
# First in memory. `logits` has a float32 for every word of the vocabulary at every position:

# %%
fixed_bytes = sum(tensor.nbytes for tensor in fixed)
batch_bytes = logits.nbytes
times = fixed_bytes / batch_bytes
f"{fixed_bytes:,} bytes at 128, {batch_bytes:,} in one batch: {times:.1f} times less"

# %% [markdown]
# And in time? Seconds differ from machine to machine, so we take the median of interleaved runs and assert a relation:

# %%
import statistics
import time


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


requests = [{name: padded[name][row : row + 1].to(th.device) for name in names} for row in range(4)]
one_by_one, together = [], []
for _ in range(7):
    one_by_one.append(seconds(lambda: [th.infer(context, request) for request in requests]))
    together.append(seconds(lambda: th.infer(context, on_device)))
statistics.median(one_by_one) > statistics.median(together)

# %% [markdown]
# ## Does it agree with PyTorch?
#
# The engine and PyTorch add up the same numbers in another order, and some GPUs multiply float32 with fewer digits
# (TF32). So equality is too much to ask. We ask for less than 0.05 in a logit:

# %%
with torch.no_grad():
    expected = lm.model(**batch).logits
real = batch["attention_mask"].bool()
difference = (logits.cpu() - expected).abs()[real].max().item()
assert difference < 0.05, difference
[int(expected[real].min()), int(expected[real].max())], difference < 0.05

# %% [markdown]
# Against a range of dozens that is little; the words are the same.
#
# ## int64 and int32
#
# TensorRT 8 had no INT64, so code for it casts token ids to int32. What does *this* engine want?

# %%
engine.get_tensor_dtype("input_ids")

# %% [markdown]
# **Before you run the next cell:** an address has no type. What would an engine that wants int64 read from int32 ids?
#
# - **A.** the same ids
# - **B.** two ids glued into one number
# - **C.** an id, then a zero, then an id
#
# <details id="glued-ids"><summary>Answer</summary>
#
# - **A.** Nothing converts them: TensorRT gets an address.
# - **B is right.** It takes eight bytes at a time, and those hold two ids.
# - **C.** That is the other way round, int64 read as int32.
#
# </details>

# %%
ids32 = batch["input_ids"].to(torch.int32)
ids32[0, :4].view(torch.int64)

# %% [markdown]
# Numbers far outside the vocabulary. And the other way round, int64 ids read by an engine that wants int32?

# %%
as_read = batch["input_ids"][0, :4].view(torch.int32)
lm.tokenizer.convert_ids_to_tokens(as_read.tolist())

# %% [markdown]
# A `[PAD]` after every word, and only half of the sentence. TensorRT gets an address and cannot notice either mistake;
# with int32 ids it would even read on behind their end. The helper looks before it binds:

# %% tags=["raises-exception"]
th.infer(context, {**on_device, "input_ids": ids32.to(th.device)})

# %% [markdown]
# So never cast to a type from memory. Ask the engine:

# %%
wanted = th.to_torch_dtype(engine.get_tensor_dtype("input_ids"))
ids32.to(wanted).dtype

# %% [markdown]
# ## A mask left out
#
# `attention_mask` looks optional. Let us forget it, that is, send 1 everywhere. **Before you run the next cell:** whose
# logits will change?
#
# - **A.** nobody's: token 0 means padding anyway
# - **B.** all but the longest sentence's
# - **C.** everybody's
#
# <details id="forgotten-mask"><summary>Answer</summary>
#
# - **A.** To the model `[PAD]` is a token like any other.
# - **B is right.** The longest has no padding: its mask was all ones already.
# - **C.** Where no padding is, nothing was masked.
#
# </details>

# %%
forgotten = {**on_device, "attention_mask": torch.ones_like(batch["attention_mask"]).to(th.device)}
without_mask = th.infer(context, forgotten)["logits"]
changed = [
    (logits[row] - without_mask[row]).abs()[: real[row].sum()].max().item() > 0.05
    for row in range(4)
]
changed

# %% [markdown]
# Three of four sentences have other logits now: the padding took part as if it were words. At length 128 there is much
# more of it:

# %%
no_mask = torch.ones(1, 128, dtype=torch.int64).to(th.device)
outputs = [
    th.infer(context, {**request, "attention_mask": no_mask})["logits"] for request in requests
]
wrong = [
    [c.word for c in th.decode_top_k(lm, outputs[row][0, position])] for row, position in places
]
pd.DataFrame(wrong, columns=["best", "2", "3", "4", "5"])

# %% [markdown]
# Compare with the first table: three of four rows have changed, and nothing complained. If words change with the amount
# of padding, look at the mask first.
#
# ## Your own sentences
#
# `th.fill_in` is all of the above in one call: tokenise, one batch, find, decode
# (`trt_helpers/decoding/sentences.py`). A sentence that is no good gets its reason, and the others their words:

# %%
mine = ["A cat is an [MASK].", "No mask here.", "He drank a cup of [MASK].", ""]
for result in th.fill_in(lm, context, mine):
    print(result)

# %% [markdown]
# Now yours. Type a sentence and press Enter:

# %%
blank = course.FillInTheBlank(lm, context)
blank

# %% [markdown]
# Python can type, too. A sentence may have several masks: each gets its own answer, and neither sees the other's.

# %%
blank.sentence.value = "She opened the [MASK] and went [MASK]."
HTML(blank.result.value)

# %% [markdown]
# The view is two functions and some controls around them (`trt_helpers/course/views/fill_in_the_blank.py`). The
# functions work without the controls:

# %%
(paris,) = th.fill_in(lm, context, sentences[0])
course.picture(course.draw_words(paris), alt=f"Bar chart: {paris}")

# %% [markdown]
# ## Where the model is wrong
#
# TensorRT computes what the model says, faster. It makes no model better:

# %%
hard = [
    "The capital of Italy is [MASK].",
    "Two plus two is [MASK].",
    "The opposite of hot is [MASK].",
]
for result in th.fill_in(lm, context, hard):
    print(result)

# %% [markdown]
# The model has learned, for a few minutes, which words stand near each other in dictionaries and other free text. It
# knows that Italy's capital is an Italian city, but not which; that "two" and "hot" fit their sentences. It cannot
# count. Its [model card](../models/masked-lm/README.md) has the figures.
#
# ## Your turn
#
# Start afresh: `make pristine LESSON=05` (your copy is kept).

# %%
from trt_helpers.course import practice

# %% [markdown]
# ### Exercise 1 · How many bytes? (3 minutes)
#
# Write `logits_bytes`: how many bytes does `logits` take for a batch of sentences of a given length?
#
# <details><summary>Hint 1</summary>
#
# The shape is (batch, sequence, 30522).
#
# <details><summary>Hint 2</summary>
#
# A float32 has 4 bytes.
#
# </details></details>


# %% tags=["exercise"]
# --- stub
def logits_bytes(batch, sequence): ...
# --- solution
def logits_bytes(batch, sequence):
    return batch * sequence * 30522 * 4


# --- check


practice.check_logits_bytes(logits_bytes, context)

# %% [markdown]
# ### Exercise 2 · Fill them all (10 minutes)
#
# Write `complete`: it gets a context and a sentence, and returns the sentence with every `[MASK]` replaced by its best
# word. Use `th.tokenize`, `th.infer`, `th.find_masks` and `th.decode_top_k`.
#
# <details><summary>Hint 1</summary>
#
# `th.find_masks` gives (row, position) pairs in the order of the text; `logits[row, position]` is what
# `th.decode_top_k` wants.
#
# <details><summary>Hint 2</summary>
#
# `text.replace("[MASK]", word, 1)` replaces only the first.
#
# </details></details>


# %% tags=["exercise"]
# --- stub
def complete(context, sentence): ...
# --- solution
def complete(context, sentence):
    inputs = th.tokenize(lm, sentence)
    on_device = {name: tensor.to(th.device) for name, tensor in inputs.items()}
    logits = th.infer(context, on_device)["logits"]
    for place in th.find_masks(lm, inputs["input_ids"]):
        sentence = sentence.replace("[MASK]", th.decode_top_k(lm, logits[place], k=1)[0].word, 1)
    return sentence


# --- check


practice.check_complete(complete, lm, context)

# %% [markdown]
# ### Exercise 3 · The loop for another model (15 minutes)
#
# The check brings an engine that rates texts. Its inputs are `tokens` (ids) and `weights` (the mask), both [batch,
# length]; its output `score` has one number for each text. Write `rate`: it gets the engine and a list of texts, each a
# list of ids, more than the engine takes at once. It returns their scores, in order. Padding has the id 0.
#
# <details><summary>Hint 1</summary>
#
# How many at once? The max of profile 0. Cut the list into pieces of that size, and pad each to its longest text.
#
# <details><summary>Hint 2</summary>
#
# The two inputs have different dtypes: ask the engine for each. `th.infer(context, inputs)` does the rest.
#
# </details></details>


# %% tags=["exercise"]
# --- stub
def rate(engine, texts): ...
# --- solution
def rate(engine, texts):
    context, scores = engine.create_execution_context(), []
    most = engine.get_tensor_profile_shape("tokens", 0)[2][0]
    for start in range(0, len(texts), most):
        part = texts[start : start + most]
        longest = max(len(text) for text in part)
        rows = [text + [0] * (longest - len(text)) for text in part]
        weights = [[1] * len(text) + [0] * (longest - len(text)) for text in part]
        inputs = {}
        for name, values in {"tokens": rows, "weights": weights}.items():
            dtype = th.to_torch_dtype(engine.get_tensor_dtype(name))
            inputs[name] = torch.tensor(values, dtype=dtype, device=th.device)
        scores += th.infer(context, inputs)["score"].tolist()
    return scores


# --- check


practice.check_rate(rate)

# %% [markdown]
# ## You can now
#
# - turn sentences into the three inputs of a BERT, one by one or in a batch,
# - find every `[MASK]` and read the likeliest words from the logits,
# - say what int64 and int32 ids do to an engine that wants the other,
# - recognise a forgotten attention mask by what it does to the words,
# - compare an engine with PyTorch within a tolerance that you can justify.
#
# **Do you remember?**
#
# <details><summary>1. Why may two correct programs differ in the last digits of a logit?</summary>
# They add the same numbers in another order, and some GPUs multiply with fewer digits.</details>
# <details><summary>2. Your ids are int32 and the engine wants int64. What does TensorRT say?</summary>
# Nothing. It gets an address and reads eight bytes for every id, also behind the end of your tensor.</details>
# <details><summary>3. Which sentence of a batch does not need its attention mask?</summary>
# The longest: it has no padding.</details>
#
# **Next:** code from TensorRT 8 and what became of it, in
# [lesson 6, migrating from TensorRT 8](06_migrating_from_tensorrt_8.ipynb).
