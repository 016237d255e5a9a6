# %% [markdown]
# # 8 · Scaling out
#
# At the end several processes share a pile of sentences, one of them is killed half-way, and no row is lost.
#
# **You learn** what a worker holds and what is copied to it; to run two of them on Ray Data, on this machine and,
# unchanged, on a cluster; what happens when one dies; how to read a rate honestly.<br>
# **You need** [lesson 4](04_async_execution_and_streams.ipynb), [lesson 7](07_making_it_fast.ipynb), and the packages
# of the extra `scale`: `.venv/bin/python -m tools.extras scale`.<br>
# **Time** 35 minutes.

# %% tags=["nbval-ignore-output"]
import os
import pickle
import signal
import tempfile
import time
from itertools import count
from pathlib import Path

import psutil

import trt_helpers as th

# %xmode Minimal
th.show_lane()

# %% [markdown]
# ## One process
#
# 240 sentences, and the decoder of lesson 7, which sorts them by length and asks an engine that decodes inside:

# %%
patterns = [
    "Paris is the [MASK] of France.",
    "He drank a cup of [MASK].",
    "She opened the [MASK] and went out.",
]
sentences = [f"{patterns[i % 3]} It was day {i}." for i in range(240)]
# One batch at a time; on a GPU more would be read ahead.
decoder = th.MaskedWordDecoder.from_pretrained(in_flight=1)
alone = [result.candidates[0][0].word for result in decoder(sentences, top_k=1)]
alone[:3]

# %% [markdown]
# A list is answered when all of it is done. `decoder.stream` takes sentences as they come, sorts a *window* of them
# together, and answers in order.
#
# **Before you run the next cell:** the window is 60 sentences. How many does it read before its first answer?
#
# - **A.** one
# - **B.** 60
# - **C.** all that there are
#
# <details id="first-answer"><summary>Answer</summary>
#
# - **A.** It could not sort by length then.
# - **B is right.** The first of a window waits for the last of it.
# - **C.** The source may never end.
#
# </details>

# %%
numbers = count()
endless = (sentences[next(numbers) % 240] for _ in count())
_ = next(decoder.stream(endless, window=60))
next(numbers)

# %% [markdown]
# That is the price of large batches: less padding and fewer calls for all, a longer wait for the first.

# %%
waits = {}
for window in (10, 240):
    start = time.perf_counter()
    _ = next(decoder.stream(sentences, window=window))
    waits[window] = (time.perf_counter() - start) * 1000
    print(f"first answer with a window of {window}: {waits[window]:.1f} ms")
# A GPU sees new shapes here, and is slow the first time.
assert th.device.type == "cuda" or waits[10] < waits[240]

# %% [markdown]
# Somebody who waits wants small batches, a pile of files large ones. Here we have the pile.
#
# ## What travels
#
# Python uses one core well, and a context takes one request at a time. So work is shared between *processes*, the
# workers, and what a process needs is pickled and sent to it.
#
# **Before you run the next cell:** which of these can be pickled?
#
# - **A.** the engine
# - **B.** the path of its plan
# - **C.** both
#
# <details id="what-travels"><summary>Answer</summary>
#
# - **A.** It is memory of this process, on a GPU even of that GPU.
# - **B is right.** It is text.
# - **C.** No: an engine cannot leave its process.
#
# </details>


# %%
def can_travel(thing):
    try:
        return len(pickle.dumps(thing)) > 0
    except (TypeError, pickle.PicklingError):
        return False


can_travel(th.load_engine(decoder.plan)), can_travel(decoder.plan)

# %% [markdown]
# So the plan is built *once*, as a file, and every worker loads an engine of its own from it. (Forking, as
# `multiprocessing` does on Linux before Python 3.14, is no way around: the child has neither the threads nor the GPU.
# CUDA refuses it, and so does the reference lane.) What a worker is then fed with is small:

# %%
part_bytes = len(pickle.dumps(sentences[:60]))
assert decoder.plan.stat().st_size > 10_000 * part_bytes
part_bytes < 5_000

# %% [markdown]
# ## A worker
#
# A class. The slow part, loading, is in `__init__`, which runs once in each process; a batch comes as a dictionary of
# columns, which Ray makes NumPy arrays:


# %%
class Worker:
    def __init__(self, plan):
        os.environ["TRT_HELPERS_THREADS"] = "1"  # read when an engine is loaded
        self.decoder = th.MaskedWordDecoder.from_plan(plan)

    def __call__(self, batch):
        results = self.decoder(list(batch["text"]), top_k=1)
        words = [result.candidates[0][0].word for result in results]
        return {"id": batch["id"], "word": words, "process": [os.getpid()] * len(words)}


Worker(decoder.plan)({"id": [0, 1], "text": sentences[:2]})["word"]

# %% [markdown]
# The decoder makes contexts and streams inside its process. It has to: a stream's handle means nothing elsewhere, and
# two requests on one context would overwrite each other's shapes and addresses (lesson 4). On a machine with several
# GPUs, Ray shows each worker one of them.
#
# One thread each, because two workers that want both cores only wait for each other.
#
# ## Ray on this machine
#
# Ray starts and restarts processes and moves data between them. Plain `ray.init()` listens to the network, so that
# other machines can join. For one machine:
#
# ```python
# # trt_helpers/scaling/local_ray.py, in short
# os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"   # this machine only; read when ray is imported
# os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
# ray.init(address="local", num_cpus=cpus, include_dashboard=False, log_to_driver=False, ...)
# ```

# %%
from trt_helpers.scaling import local_ray

local_ray.start(cpus=2)

# %%
import ray


def listening():
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    sockets = [socket for process in processes for socket in process.net_connections("inet")]
    found = [socket.laddr.ip for socket in sockets if socket.status == psutil.CONN_LISTEN]
    return {ip.removeprefix("::ffff:") for ip in found}


listening()

# %% [markdown]
# The loopback address: nobody outside hears it. (Jupyter's own kernel is among them.)
#
# ## Two workers
#
# Ray calls a process that holds an object an *actor*: our workers are actors, and Ray sends them the class. It cuts the
# rows into *blocks*, which it hands out, and cuts these into batches, one for each call. `flow` is only a plan: nothing
# runs before `take_all`.
#
# `num_cpus` is what each worker asks for. It is only counted, and it must leave something for whoever reads: beside two
# workers of a whole core, on two cores, a reader would never start, and all would wait for good. The reader that we use
# below asks for a quarter, so three quarters. (`ray.data.read_text` and its like ask for a whole core: take half then.)
# If there is a GPU, half of it each, and no core (unasked, Ray Data takes a whole one for a worker on a GPU, too):

# %%
settings = ray.data.DataContext.get_current()
settings.wait_for_min_actors_s = 600  # begin when both are there; give up after ten minutes
share = {"num_gpus": 0.5, "num_cpus": 0} if th.device.type == "cuda" else {"num_cpus": 0.75}
rows = [{"id": i, "text": text} for i, text in enumerate(sentences)]
with local_ray.quiet_data():  # no progress bars
    data = ray.data.from_items(rows, override_num_blocks=8)
    pool = ray.data.ActorPoolStrategy(size=2)
    flow = data.map_batches(
        Worker, fn_constructor_args=(decoder.plan,), compute=pool, batch_size=30, **share
    )
    found = flow.take_all()
len(found), len({row["process"] for row in found}), os.getpid() in {row["process"] for row in found}

# %% [markdown]
# 240 rows, two processes, neither of them ours. The 8 blocks matter: a single one would feed a single worker.
# Rows come back as they are done, so their ids put them in order:

# %%
[row["word"] for row in sorted(found, key=lambda row: row["id"])] == alone

# %% [markdown]
# ## Files in, files out
#
# For a billion rows nobody calls `take_all`. `decode_dataset` (`trt_helpers/scaling/dataset.py`) has this flow:
#
# ![Rows flow from the input through a reader, which cuts them into parts, to two workers and into answer files, one for
# each part. Each worker reads the plan once and has an engine, a context and a stream of its own. Both report to your
# process.](images/08_workers.png)
#
# A reader cuts files into parts of `batch_size` rows. A worker answers a part and writes a file of its own, whose name
# says which rows are in it (`part-00000-000000000021.parquet`: file 0, from row 21). Some rows of ours are bad, as in
# every real file:

# %%
from trt_helpers.scaling import parts
from trt_helpers.scaling.dataset import decode_dataset

folder = tempfile.TemporaryDirectory()
source, answers = Path(folder.name) / "day.txt", Path(folder.name) / "answers"
lines = [text.encode() for text in sentences]
lines[100], lines[101] = b"No mask here.", b"Caf\xe9 [MASK]"  # the second is Latin-1, not UTF-8
source.write_bytes(b"\n".join(lines))
how = {"workers": 2, "batch_size": 20, "top_k": 3, "gpus_per_worker": share.get("num_gpus", 0)}

# %% [markdown]
# ## A worker dies
#
# Memory runs out, a driver crashes, a machine is taken away. We do it ourselves, with the process id of the worker that
# reports first, and a little later interrupt the whole run as well.
#
# **Before you run the next cell:** a worker may die when its answers are written and its report is not yet sent. Ray
# hands the part to another. Then the rows are there ...
#
# - **A.** not at all
# - **B.** once
# - **C.** twice
#
# <details id="written-twice"><summary>Answer</summary>
#
# - **A.** What is written stays.
# - **B is right.** The second worker gives its file the same name, and so replaces the first one's.
# - **C.** That happens to those who append, or name files at random.
#
# </details>

# %%
reports = []


def disturb(report):
    reports.append(report)
    if len(reports) == 1:
        os.kill(report.worker, signal.SIGKILL)
    if len(reports) == 6:
        raise KeyboardInterrupt


try:
    decode_dataset(source, answers, on_part=disturb, **how)
except KeyboardInterrupt:
    print("interrupted after", len(reports), "of 12 parts")

# %% [markdown]
# The same call again. It looks which files are there, and does the rest. The first value: is the worker that we killed
# alive?

# %%
summary = decode_dataset(source, answers, **how)
psutil.pid_exists(reports[0].worker), summary.earlier >= 120, summary.earlier + summary.rows

# %% [markdown]
# In the answers an id is the file's name and the number of the line, from 1; `words` has for each mask a list, the best
# first; `error` is null where all is well:

# %%
table = parts.answers(str(answers)).to_pandas()
assert table["id"].is_unique and (table["error"].isna().sum(), len(table)) == (238, 240)
table.loc[98:101, ["id", "error"]].fillna("")

# %% [markdown]
# Every row once, and a bad row costs only itself. Were the words the same?

# %%
good = table[table["error"].isna()]
others = [word for i, word in enumerate(alone) if i not in (100, 101)]
[words[0][0] for words in good["words"]] == others

# %% [markdown]
# What if a row kills every worker that touches it? After three of them its part is given up, and says so in its errors.
#
# ## Reading the rate
#
# Ray ran already. Starting two processes, each of which imports PyTorch and loads the plan, took much longer than our
# few sentences:

# %%
print(f"{summary.seconds:.1f} s, of which {summary.start_up_s:.1f} s until the first part")
assert summary.start_up_s > summary.seconds / 2

# %% [markdown]
# **Before you run the next cell:** 2,000 rows took 40 seconds with two workers, 30 of them to start. How long do 20,000
# rows take?
#
# - **A.** 400 seconds
# - **B.** 130 seconds
# - **C.** 40 seconds
#
# <details id="honest-rate"><summary>Answer</summary>
#
# - **A.** That counts the start ten times.
# - **B is right.** 30 to start, and ten times the 10 that were work.
# - **C.** More rows are more work.
#
# </details>

# %%
start_up_s, rows_per_s = 30, 2_000 / (40 - 30)
start_up_s + 20_000 / rows_per_s

# %% [markdown]
# So report both numbers, and say what was compared. Two workers of one thread did 1.7 times what *one of one thread*
# does, on our two cores; but one process whose engine uses both, as at the start of this lesson, was as fast. Workers
# pay where there are more cores, GPUs or machines than one process can feed. [docs/scaling.md](../docs/scaling.md) has
# the figures, and what a billion sentences cost.
#
# ## On a cluster
#
# Not run here: needs several machines. The call does not change, if its paths are such that all machines reach. Where
# Ray runs already, `RAY_ADDRESS` says so:
#
# ```
# ray start --head                                    # on one machine; on the others: ray start --address=...
# RAY_ADDRESS=auto python -m trt_helpers fill-mask "/shared/*.parquet" --out /shared/answers --workers 16
# ```
#
# `decode_dataset` joins and leaves the cluster running. Every machine needs the course's packages, and a disk or a
# storage that all can reach; the plan travels through Ray's object store, once to each machine. It fits one kind of
# GPU: build it on that kind. A cluster's ports are open to its network, which must be one that you trust.
#
# Here we are done with Ray:

# %%
ray.shutdown()
folder.cleanup()
[process.name() for process in psutil.Process().children(recursive=True)]

# %% [markdown]
# ## Your turn
#
# Start afresh: `make pristine LESSON=08` (your copy is kept).

# %%
from trt_helpers.course import practice

# %% [markdown]
# ### Exercise 1 · How many hours? (3 minutes)
#
# Write `hours`: how long does a job take, from the call to the last row? `rate` is rows a second of *one* worker;
# assume that workers do not slow each other down.
#
# <details><summary>Hint 1</summary>
#
# All workers start at the same time.
#
# <details><summary>Hint 2</summary>
#
# `start_up_s` once, then the rows at `rate * workers`. 3600 seconds are an hour.
#
# </details></details>


# %% tags=["exercise"]
# --- stub
def hours(rows, rate, workers, start_up_s): ...
# --- solution
def hours(rows, rate, workers, start_up_s):
    return (start_up_s + rows / (rate * workers)) / 3600


# --- check


practice.check_hours(hours)

# %% [markdown]
# ### Exercise 2 · A worker that loses no row (10 minutes)
#
# Our `Worker` above stumbles over a bad sentence. Write `CarefulWorker`: it gets a function that makes a decoder, and
# calls it once. For a batch with `id` and `text` it returns `id`, `word` (the best for the first mask, or `""`) and
# `error` (the decoder's `problem`, `""` if there is none), a value for each row.
#
# <details><summary>Hint 1</summary>
#
# A `Filled` has `candidates`, empty for a bad sentence, and `problem`.
#
# <details><summary>Hint 2</summary>
#
# `result.candidates[0][0].word if result.candidates else ""`
#
# </details></details>

# %% tags=["exercise"]
# --- stub
CarefulWorker = ...


# --- solution
class CarefulWorker:
    def __init__(self, make_decoder):
        self.decoder = make_decoder()

    def __call__(self, batch):
        results = self.decoder(list(batch["text"]), top_k=1)
        words = [result.candidates[0][0].word if result.candidates else "" for result in results]
        return {"id": batch["id"], "word": words, "error": [result.problem for result in results]}


# --- check
practice.check_careful(CarefulWorker)

# %% [markdown]
# ## You can now
#
# - say what a worker loads, what it is sent, and what must never be shared,
# - start a Ray that only this machine hears, and stop it again,
# - run a data set through several workers, on one machine or on a cluster,
# - kill a worker or a whole run, and lose and double nothing,
# - tell the time to start from the rate.
#
# **Do you remember?**
#
# <details><summary>1. Why is the plan built before the workers start?</summary>
# Otherwise each would build the same one. They load the file.</details>
# <details><summary>2. Two workers ask for one core each, on two cores, and nothing happens. Why?</summary>
# Reading needs a share too, and none is left. Ask for less than a whole core each.</details>
# <details><summary>3. What makes it harmless to answer a part twice?</summary>
# Its file's name says which rows it holds, and it appears whole: the second replaces the first.</details>
#
# **Next:** all errors of this course and their remedies are in [docs/errors.md](../docs/errors.md).
