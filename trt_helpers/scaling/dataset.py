"""Many sentences, many workers: ``decode_dataset`` on Ray Data. Lesson 8 builds it up. Needs the extra ``scale``.

    summary = decode_dataset("reviews/*.parquet", "answers", workers=2, column="review", top_k=5)

Ray Data reads, hands out and starts again what died. Ours are the worker, which holds one engine, and the parts
(``parts.py``), by which an interrupted run is continued.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

from ..decoding.decoder import MaskedWordDecoder
from ..decoding.model import load_tokenizer
from ..decoding.sentences import Filled
from ..engine import load_engine
from ..lanes import device
from . import local_ray

if TYPE_CHECKING:
    import ray
    import ray.data

    from .parts import Source

# Shares of a core, by which Ray counts. Together a reader and two workers fit a machine of two cores; with a whole core
# for each worker the reader would never start, and the workers would wait for it for good.
WORKER_CPUS, READER_CPUS = 0.75, 0.25
# How many workers a part may cost, and how often each worker may die loading. Ray would start new ones for ever.
TRIES = 3
LOADING = "part-loading"  # like a part's name, so that its notes are cleared away with theirs
WHAT_STAYS = "What was answered is kept in {}; the same again does the rest."
KILLER = f"not decoded: {TRIES} workers died over the rows of this part."

Decoder = Callable[..., list[Filled]]


class PartDone(NamedTuple):
    """What a worker reports of a part: times are ``time.time()`` on its machine, memory as of ``own_memory``."""

    part: str
    rows: int
    errors: int
    started: float
    ended: float
    worker: int
    memory: int


@dataclass
class Summary:
    """What a run did.

    Attributes:
        rows: rows answered in this run, those with an error included.
        errors: rows with an error among them.
        earlier: rows that an earlier run had answered.
        seconds: from the call to the last part.
        start_up_s: from the call until the first worker began with its first part; all of it if nothing was left to do.
        workers: process ids of the workers, also of those that died.
    """

    rows: int = 0
    errors: int = 0
    earlier: int = 0
    seconds: float = 0.0
    start_up_s: float = 0.0
    workers: list[int] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Rows a second from the first worker's start on: what a long run approaches."""
        return self.rows / max(self.seconds - self.start_up_s, 1e-9)

    def __str__(self) -> str:
        if not self.rows and self.earlier:
            return f"nothing was left to do: {self.earlier:,} rows were there, {self.seconds:.1f} s"
        before = f", {self.earlier:,} were there" if self.earlier else ""
        return (
            f"{self.rows:,} rows{before}, {self.errors:,} with an error, {self.seconds:.1f} s "
            f"({self.start_up_s:.1f} s to start, then {self.rate:,.1f} rows/s)"
        )


class FromPlan:
    """How a worker gets its decoder: from a plan that was built once. Nothing is built or exported by a worker.

    Parameters:
        plan: a file that every worker can read, or ``copies`` are taken.
        model: where the tokenizer is, as for ``load_masked_lm``.
        copies: the plan's bytes in Ray's object store, for machines that do not have the file.
    """

    def __init__(self, plan: str | Path, model: str | Path | None = None, copies: ray.ObjectRef | None = None) -> None:
        self.plan, self.model, self.copies = str(plan), model, copies

    def __call__(self) -> MaskedWordDecoder:
        """Load the plan."""
        if os.path.exists(self.plan) or self.copies is None:
            return MaskedWordDecoder.from_plan(self.plan, self.model)
        import ray

        return MaskedWordDecoder(load_engine(ray.get(self.copies)), load_tokenizer(self.model))


class Worker:
    """One process, one engine, one decoder. Decodes a part and writes its file.

    Parameters:
        make_decoder: called once, in the worker's process.
        folder: where the parts go.
        threads: CPU threads of the engine.
        workers: how many there are.

    Raises:
        RuntimeError: too many workers died here, before they could do anything.
    """

    def __init__(
        self, make_decoder: Callable[[], Decoder], folder: str, top_k: int, threads: int, workers: int
    ) -> None:
        from . import parts

        # Read when the engine is loaded.
        os.environ["TRT_HELPERS_THREADS"] = str(threads)
        if device.type == "cpu":  # a GPU answers faster than one core can tokenise
            os.environ["TOKENIZERS_PARALLELISM"] = "false"
        if parts.times_begun(folder, LOADING) > TRIES * workers:
            raise RuntimeError(
                f"every worker died {TRIES} times while it loaded its engine, and none came to its first row. Is there "
                "too little memory for so many? `python -m trt_helpers` says what this machine has."
            )
        self._decoder, self._folder, self._top_k = make_decoder(), folder, top_k
        parts.forget_begun(folder, LOADING)

    def __call__(self, part: dict) -> dict:
        """Decode the part's sentences and write all answers; returns a ``PartDone`` as a dictionary."""
        from . import parts

        started = time.time()
        if parts.times_begun(self._folder, part["part"]) > TRIES:
            filled = [Filled(text or "", [], KILLER) for text in part["texts"]]
        else:
            filled = self._filled(part["texts"])
        errors = parts.write_part(self._folder, part, filled)
        parts.forget_begun(self._folder, part["part"])
        return PartDone(part["part"], len(filled), errors, started, time.time(), os.getpid(), own_memory())._asdict()

    def _filled(self, texts: list[str | None]) -> list[Filled]:
        """An answer for each row; None is a row without a sentence, whose error is known already."""
        sentences = [text for text in texts if text is not None]
        decoded = iter(self._decoder(sentences, top_k=self._top_k, progress=False))
        return [Filled("", []) if text is None else next(decoded) for text in texts]


def own_memory() -> int:
    """Bytes that this process has for itself; on Linux without what it shares with others.

    Those are libraries, and Ray's object store: every part that a worker reads is somewhere else in there, so that its
    resident size grows with each, up to the size of the store.
    """
    found = psutil.Process().memory_info()
    return found.rss - getattr(found, "shared", 0)


def decode_dataset(
    source: str | Path | ray.data.Dataset,
    sink: str | Path,
    *,
    workers: int = 1,
    gpus_per_worker: float | None = None,
    batch_size: int = 4096,
    top_k: int = 5,
    column: str = "text",
    id_column: str | None = None,
    model: str | Path | None = None,
    threads: int = 1,
    make_decoder: Callable[[], Decoder] | None = None,
    on_part: Callable[[PartDone], None] | None = None,
) -> Summary:
    """Fill in ``[MASK]`` in all rows of a data set, and write the answers as Parquet.

    The sink gets one file for each part. Its columns: ``id`` (text), ``words`` and ``probabilities`` (for each mask a
    list of ``top_k``), and ``error``, null where there is none. A bad row has its error there; it loses no other row.
    Called again with the same arguments after an interruption, it does what is not there yet.

    Parameters:
        source: Parquet, JSON Lines (``.jsonl``) or text (one sentence a line): a file, a folder or a glob, local or as
            fsspec writes it; a glob only if nothing is called exactly so. Or a ``ray.data.Dataset``, whose two columns
            are first written to the sink's ``_input``; a run that is continued takes the rows from there.
        sink: a folder that all workers can write to. Its name may have any characters.
        workers: processes, each with an engine of its own.
        gpus_per_worker: default: 1 if this machine computes on a GPU, else 0. A fraction lets workers share one.
        batch_size: sentences that a worker gets at once, and rows of a file. Sorted by length together.
        column: where Parquet and JSON Lines have the sentence.
        id_column: default: ids are made of file name and row, ``reviews.txt:17``, as for a row whose own is null.
        model: as for ``load_masked_lm``. Its plan is built once, before the workers start.
        threads: CPU threads of each worker's engine.
        make_decoder: how a worker makes its decoder; default: from that plan (``FromPlan``).
        on_part: called for every part that is done, for example to show progress.

    Raises:
        ImportError: the extra ``scale`` is not installed.
        FileNotFoundError: no file is called so.
        ValueError: the sink is in use by something else, the first file is Parquet without such a column, a number is
            out of range, or this machine has too few cores or GPUs for so many workers.
        ray.exceptions.RayError: a worker or a reader failed, with its traceback. What was finished stays.
    """
    start = time.time()
    gpus = (1 if device.type == "cuda" else 0) if gpus_per_worker is None else gpus_per_worker
    _refuse_nonsense(gpus, workers=workers, batch_size=batch_size, top_k=top_k, threads=threads)
    with local_ray.running(), local_ray.quiet_data():
        from . import parts

        _refuse_too_many(workers, gpus)
        folder, model = parts.as_url(sink), _model(model)
        settings = {"column": column, "id_column": id_column, "batch_size": batch_size}
        wanted = _begun(source, folder, settings, {"top_k": top_k, "model": model})
        parts.remove_unfinished(folder)
        done = parts.rows_done(folder)
        summary = Summary(earlier=sum(done.values()))
        arguments = (make_decoder or _from_plan(model, top_k), folder, top_k, threads, workers)
        # A block is what Ray hands from one process to another. So each part is a block of its own: one file feeds all
        # workers, and the first of them begins before the file is read.
        with local_ray.quiet_data(target_max_block_size=1):
            flow = _flow(wanted, frozenset(done), arguments, workers, gpus)
            # Closed, or the workers of an interrupted run would live as long as somebody keeps its traceback.
            with _note_on_failure(folder), closing(_reports(flow)) as reports:
                for report in reports:
                    _count(summary, report, start)
                    if on_part:
                        on_part(report)
        parts.remove_unfinished(folder)
    if summary.rows == 0:
        summary.seconds = summary.start_up_s = time.time() - start
    return summary


def _flow(source: Source, done: frozenset[str], arguments: tuple, workers: int, gpus: float) -> ray.data.Dataset:
    """Files to parts to reports: what Ray Data shall do."""
    import ray

    from .parts import parts_of

    files = ray.data.from_items([{"index": i} for i in range(len(source.files))], override_num_blocks=len(source.files))
    cut = files.flat_map(_Cut(source, done, parts_of), num_cpus=READER_CPUS)
    pool = ray.data.ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=2)
    # Unless told otherwise Ray Data takes a whole core for a worker on a GPU as well, and none may be left to read.
    share = {"num_gpus": gpus, "num_cpus": 0} if gpus else {"num_cpus": WORKER_CPUS}
    return cut.map(Worker, fn_constructor_args=arguments, compute=pool, **share)


def _reports(flow: ray.data.Dataset) -> Iterator[PartDone]:
    """Each report as soon as it is there. (``iter_rows`` would hold it back until the next one is.)"""
    blocks = flow.iter_batches(batch_size=None, prefetch_batches=0, batch_format="pyarrow")
    # Closed by name. Python 3.12.3, which Ubuntu 24.04 has, does not let go of what a closed generator held (CPython's
    # issue 118272): Ray Data would end an interrupted run when its traceback goes, and say on stderr how long it took.
    with closing(iter(blocks)) as blocks:
        for block in blocks:
            for row in block.to_pylist():
                yield PartDone(**row)


@contextmanager
def _note_on_failure(folder: str) -> Iterator[None]:
    """Under a worker's traceback, what becomes of the answers so far."""
    try:
        yield
    except Exception as error:
        error.add_note(WHAT_STAYS.format(folder))
        raise


class _Cut:
    """Read one file, part by part."""

    def __init__(self, source: Source, done: frozenset[str], parts_of: Callable) -> None:
        self._source, self._done, self._parts_of = source, done, parts_of

    def __call__(self, row: dict) -> Iterator[dict]:
        return self._parts_of(self._source, row["index"], self._done)


def _count(summary: Summary, report: PartDone, start: float) -> None:
    begun = report.started - start
    summary.start_up_s = min(begun, summary.start_up_s) if summary.rows else begun
    summary.rows += report.rows
    summary.errors += report.errors
    summary.seconds = time.time() - start
    if report.worker not in summary.workers:
        summary.workers.append(report.worker)


def _from_plan(model: str | None, top_k: int) -> FromPlan:
    """Build the plan, or find it; where Ray has several machines, put it where all of them can get it."""
    import ray

    decoder = MaskedWordDecoder.from_pretrained(model)
    decoder([], top_k=top_k)  # refuses more words than its engine returns, before any worker has to
    plan = decoder.plan
    several = sum(node["Alive"] for node in ray.nodes()) > 1
    return FromPlan(plan, model, ray.put(Path(plan).read_bytes()) if several else None)


def _begun(source: str | Path | ray.data.Dataset, folder: str, settings: dict, answers: dict) -> Source:
    """What to read, once the folder is known to be free for it, or to be this job's."""
    from . import parts

    if isinstance(source, str | Path):
        files, sizes = parts.files_of(parts.as_url(source))
        parts.check_columns(parts.Source(files, **settings))
        parts.begin(folder, {**settings, **answers, "files": files, "sizes": sizes})
    else:
        parts.begin(folder, {**settings, **answers, "files": "a ray.data.Dataset"})
        columns = [settings["column"]] + ([settings["id_column"]] if settings["id_column"] else [])
        files, _ = parts.files_of(parts.keep_input(source, folder, columns))
    return parts.Source(files, **settings)


def _model(model: str | Path | None) -> str | None:
    """A folder by its absolute path, since workers have a working folder of their own; a name on the Hub as it is."""
    return os.path.abspath(model) if model and os.path.isdir(model) else model


def _refuse_nonsense(gpus: float, **numbers: int) -> None:
    if gpus < 0:
        raise ValueError(f"gpus_per_worker is {gpus}; it must be 0, a fraction, or a whole number")
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} is {number}; it must be at least 1")


def _refuse_too_many(workers: int, gpus: float) -> None:
    """Ray would wait for cores and GPUs that this machine will never have. (A cluster may get some yet.)"""
    import ray

    if os.environ.get("RAY_ADDRESS"):
        return
    there = ray.cluster_resources()
    if workers * gpus > there.get("GPU", 0):
        raise ValueError(
            f"{workers} workers with {gpus:g} GPUs each, and Ray counts {there.get('GPU', 0):g} here. Take fewer "
            f"workers, or let them share: gpus_per_worker={there.get('GPU', 0) / workers:g}."
        )
    wanted = READER_CPUS + (0 if gpus else workers * WORKER_CPUS)
    if wanted > there["CPU"]:
        raise ValueError(
            f"{workers} workers and a reader ask for {wanted:g} cores, and Ray counts {there['CPU']:g} here. Take "
            "fewer workers: one for each core is the most that is of use."
        )
