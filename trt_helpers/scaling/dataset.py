"""Many sentences, many workers: ``decode_dataset`` on Ray Data. Lesson 8 builds it up. Needs the extra ``scale``.

    summary = decode_dataset("reviews/*.parquet", "answers", workers=2, column="review", top_k=5)

Ray Data reads, hands out and starts again what died. Ours are the worker (``worker.py``), which holds one engine, and
the parts (``parts.py``), by which an interrupted run is continued.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..decoding.decoder import MaskedWordDecoder
from ..lanes import device
from . import local_ray, parts
from .reading import Source, check_columns, files_of
from .reports import WHAT_STAYS, PartDone, Summary
from .storage import as_url
from .worker import Decoder, Worker, from_plan

if TYPE_CHECKING:
    import ray.data

# Shares of a core, by which Ray counts. Together a reader and two workers fit a machine of two cores; with a whole core
# for each worker the reader would never start, and the workers would wait for it for good.
WORKER_CPUS, READER_CPUS = 0.75, 0.25


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
        make_decoder: how a worker makes its decoder; default: from that plan (``worker.from_plan``).
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
        _refuse_too_many(workers, gpus)
        # Workers have a working folder of their own. What is no folder is a name on the Hub.
        model = os.path.abspath(model) if model and os.path.isdir(model) else model
        folder, settings = as_url(sink), {"column": column, "id_column": id_column, "batch_size": batch_size}
        wanted = _begun(source, folder, settings, {"top_k": top_k, "model": model})
        parts.remove_unfinished(folder)
        done = parts.rows_done(folder)
        summary = Summary(earlier=sum(done.values()))
        arguments = (make_decoder or _from_plan(model, top_k), folder, top_k, threads, workers)
        # A block is what Ray hands from one process to another. So each part is a block of its own: one file feeds all
        # workers, and the first of them begins before the file is read.
        with local_ray.quiet_data(target_max_block_size=1):
            flow = _flow(wanted, frozenset(done), arguments, workers, gpus)
            try:
                # Closed, or the workers of an interrupted run would live as long as somebody keeps its traceback.
                with closing(_reports(flow)) as reports:
                    for report in reports:
                        summary.add(report, report.started - start, time.time() - start)
                        if on_part:
                            on_part(report)
            except Exception as error:
                error.add_note(WHAT_STAYS.format(folder))
                raise
        parts.remove_unfinished(folder)
    if summary.rows == 0:
        summary.seconds = summary.start_up_s = time.time() - start
    return summary


def _flow(source: Source, done: frozenset[str], arguments: tuple, workers: int, gpus: float) -> ray.data.Dataset:
    """Files to parts to reports: what Ray Data shall do."""
    import ray

    files = ray.data.from_items([{"index": i} for i in range(len(source.files))], override_num_blocks=len(source.files))
    # No class of this file: a reader needs neither PyTorch nor a lane, and so does not import them.
    cut = files.flat_map(lambda row: parts.parts_of(source, row["index"], done), num_cpus=READER_CPUS)
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


def _from_plan(model: str | None, top_k: int) -> Callable[[], Decoder]:
    """Build the plan, or find it; where Ray has several machines, put it where all of them can get it."""
    import ray

    decoder = MaskedWordDecoder.from_pretrained(model)
    decoder([], top_k=top_k)  # refuses more words than its engine returns, before any worker has to
    several = sum(node["Alive"] for node in ray.nodes()) > 1
    return partial(from_plan, decoder.plan, model, ray.put(decoder.plan.read_bytes()) if several else None)


def _begun(source: str | Path | ray.data.Dataset, folder: str, settings: dict, answers: dict) -> Source:
    """What to read, once the folder is known to be free for it, or to be this job's."""
    job = {**settings, **answers}
    if isinstance(source, str | Path):
        files, sizes = files_of(as_url(source))
        wanted = Source(files, **settings)
        check_columns(wanted)
        parts.begin(folder, {**job, "files": files, "sizes": sizes})
        return wanted
    parts.begin(folder, {**job, "files": "a ray.data.Dataset"})
    kept = parts.keep_input(source, folder, Source([], **settings).columns)
    return Source(files_of(kept)[0], **settings)


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
