"""Ray for as long as it is needed: a cluster if there is one to join, else a small Ray on this machine alone."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# Ray decides at its import whether it listens on every network interface (so that other machines can join) or on the
# loopback one. This variable is how one says "this machine only"; its name is from the systems that always do.
THIS_MACHINE_ONLY = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
# Read at Ray's import, too. What goes wrong for good is raised in Python; these lines are about what Ray mends itself:
# its C++ part says of every pool of actors that a restart would fail if the object store were lost, and the driver
# prints every worker that died and is being replaced.
QUIET = {
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DEDUP_LOGS_SKIP_REGEX": "A worker died or was killed|retries remaining, so the task will be retried",
}
OBJECT_STORE_BYTES = 512 * 2**20
MISSING = "this needs the packages of the extra `scale`: pip install -e '.[scale]', or python -m tools.extras scale"


@contextmanager
def running(cpus: int | None = None) -> Iterator[None]:
    """Ray is there inside the ``with`` block; what the block started it also stops. As ``start``."""
    started = start(cpus)
    try:
        yield
    finally:
        if started:
            _imported().shutdown()


def start(cpus: int | None = None) -> bool:
    """See to it that Ray is there. ``ray.shutdown()`` stops it, or leaves the cluster.

    * Ray runs already in this process (``ray.init``): it is used.
    * ``RAY_ADDRESS`` names a cluster (``auto``: the one of this machine): it is joined.
    * Otherwise a local Ray starts: no dashboard, no usage statistics, and it listens on the loopback interface only.

    Parameters:
        cpus: for a local Ray, how many CPU cores it shall count with; default: all.

    Returns:
        Whether Ray was started or joined here, rather than found.

    Raises:
        ImportError: Ray is not installed.
        RuntimeError: Ray was imported before, so that a local one would listen to the network.
    """
    join = bool(os.environ.get("RAY_ADDRESS"))
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if not join and "ray" not in sys.modules:
        os.environ.update(THIS_MACHINE_ONLY)
    ray = _imported()
    if ray.is_initialized():
        return False
    options = {"log_to_driver": False, "logging_level": logging.ERROR}
    if not join:
        _refuse_the_network()
        options |= {"address": "local", "num_cpus": cpus, "include_dashboard": False}
        options |= {"object_store_memory": OBJECT_STORE_BYTES}
    with _without_c_output():
        ray.init(**options)
    return True


@contextmanager
def _without_c_output() -> Iterator[None]:
    """What C++ writes to stderr is dropped: its first line says that QUIET is being heeded."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _imported() -> object:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ImportError(f"{error}; {MISSING}") from None
    return ray


def _refuse_the_network() -> None:
    """Ray read its variable when it was imported, perhaps by somebody else and too early."""
    from ray._private import ray_constants

    if ray_constants.ENABLE_RAY_CLUSTER:
        raise RuntimeError(
            "Ray was imported before trt_helpers could tell it to stay on this machine: it would listen on all network "
            "interfaces. Call trt_helpers.scaling.local_ray.start() before `import ray`, or start Ray with ray.init()."
        )


@contextmanager
def quiet_data(**settings: object) -> Iterator[None]:
    """In the ``with`` block Ray Data shows no bars and prints no lines, and its context has these settings too."""
    from ray.data import DataContext

    context, log = DataContext.get_current().copy(), logging.getLogger("ray.data")
    for name, value in (settings | {"enable_progress_bars": False, "print_on_execution_start": False}).items():
        setattr(context, name, value)
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), DataContext.current(context):
            # Fewer parts than workers: the end of a continued run, or a small file. Nothing is wrong with either.
            warnings.filterwarnings("ignore", "The minimum number of concurrent actors")
            yield
    finally:
        log.setLevel(level)
