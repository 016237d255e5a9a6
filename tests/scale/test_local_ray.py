"""A Ray of one's own is heard by this machine alone, leaves no port open, and prints nothing."""

import json
import os
import subprocess
import sys

import pytest

from tools.notebooks import LESSON_ENV, ROOT

pytestmark = pytest.mark.slow

# Start and stop in a process of its own: the other tests share a Ray that lives as long as they do.
LISTENERS = """
import json, os, sys
import psutil
from trt_helpers.scaling import local_ray

def listeners():
    own = [psutil.Process(), *psutil.Process().children(recursive=True)]
    found = [c.laddr.ip for p in own for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    return sorted(set(found)), len(own)

with local_ray.running(cpus=1):
    import ray.data
    with local_ray.quiet_data():
        rows = ray.data.range(3).map(lambda row: row).take_all()
    during, many = listeners()
    assert not local_ray.start(), "it is there already"
after, left = listeners()
print(json.dumps({"rows": len(rows), "during": during, "many": many, "after": after, "left": left}))
"""


def run(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_") or name in LESSON_ENV}
    environment = {**kept, "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=600)


def test_only_this_machine_hears_it_and_nothing_stays():
    done = run(LISTENERS)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    found = json.loads(done.stdout)
    assert found["rows"] == 3 and found["many"] > 3 and found["during"] != []
    assert set(found["during"]) <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    assert (found["after"], found["left"]) == ([], 1)


def test_a_ray_that_was_imported_too_early_is_not_started():
    done = run("import ray; from trt_helpers.scaling import local_ray; local_ray.start()")
    assert done.returncode == 1 and "it would listen on all network interfaces. Call trt_helpers" in done.stderr


# A run is interrupted while somebody else, as Python 3.12.3 does, holds what Ray Data's blocks come from.
INTERRUPTED = """
import gc, json, logging, sys
from trt_helpers.scaling import local_ray
local_ray.start(cpus=2)
import ray.data
from trt_helpers.scaling.dataset import decode_dataset
from tests.scale.stubs import Echo

held, iter_batches = [], ray.data.Dataset.iter_batches

class Held:
    def __init__(self, blocks):
        self.blocks = blocks

    def __iter__(self):
        held.append(iter(self.blocks))
        return held[-1]

def settings():
    context = ray.data.DataContext.get_current()
    names = ("enable_progress_bars", "print_on_execution_start", "target_max_block_size")
    return [logging.getLogger("ray.data").level, *(getattr(context, name) for name in names)]

def interrupt(report):
    raise KeyboardInterrupt

ray.data.Dataset.iter_batches = lambda self, **how: Held(iter_batches(self, **how))
before = settings()
try:
    how = {"batch_size": 5, "top_k": 1, "make_decoder": Echo, "on_part": interrupt}
    decode_dataset(f"{sys.argv[1]}/in.txt", f"{sys.argv[1]}/out", **how)
except KeyboardInterrupt:
    running = [blocks.gi_frame is not None for blocks in held]
held.clear()
gc.collect()
print(json.dumps({"running": running, "same": settings() == before}))
"""


def test_an_interrupted_run_has_ended_when_the_call_has_and_says_nothing(tmp_path):
    (tmp_path / "in.txt").write_text("".join(f"The [MASK] {i}\n" for i in range(20)))
    done = run(INTERRUPTED, str(tmp_path))
    assert done.returncode == 0 and done.stderr == "", done.stderr
    assert json.loads(done.stdout) == {"running": [False], "same": True}


# The very logger that says how long a run took.
SAID = """
import logging
import ray.data
from trt_helpers.scaling import local_ray

log = logging.getLogger("ray.data._internal.execution.streaming_executor")
with local_ray.quiet_data():
    log.info("said inside")
log.info("said outside")
"""


def test_ray_data_is_quiet_in_the_block_and_as_before_after_it():
    done = run(SAID)
    assert done.returncode == 0 and done.stdout == "", done.stderr
    assert "said inside" not in done.stderr and "INFO" in done.stderr and "said outside" in done.stderr


# One core in all, and a GPU by Ray's count alone: nothing computes on it.
ONE_CORE_ONE_GPU = """
import sys
import ray
ray.init(address="local", num_cpus=1, num_gpus=1, include_dashboard=False, log_to_driver=False)
from trt_helpers.scaling.dataset import decode_dataset
from tests.scale.stubs import Echo
how = {"workers": 2, "gpus_per_worker": 0.5, "batch_size": 5, "top_k": 1, "make_decoder": Echo}
print(decode_dataset(f"{sys.argv[1]}/in.txt", f"{sys.argv[1]}/out", **how).rows)
"""


def test_workers_that_share_a_gpu_leave_the_core_to_the_reader(tmp_path):
    (tmp_path / "in.txt").write_text("".join(f"The [MASK] {i}\n" for i in range(20)))
    done = run(ONE_CORE_ONE_GPU, str(tmp_path), RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0", RAY_USAGE_STATS_ENABLED="0")
    assert done.stdout == "20\n", done.stderr


def test_the_same_code_joins_a_cluster_by_its_address_and_leaves_it_running(ray, tmp_path):
    (tmp_path / "in.txt").write_text("".join(f"The [MASK] {i}\n" for i in range(20)))
    program = (
        "import sys; from trt_helpers.scaling.dataset import decode_dataset; from tests.scale.stubs import Echo\n"
        "print(decode_dataset(sys.argv[1], sys.argv[2], workers=1, batch_size=5, top_k=1, make_decoder=Echo).rows)"
    )
    address = ray.get_runtime_context().gcs_address
    # A cluster of other machines is not on the loopback interface; this one is, and has to be told so. Ray gives
    # a local Ray a token, so that other users of the machine cannot join it.
    here = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_AUTH_MODE": os.environ["RAY_AUTH_MODE"]}
    done = run(program, str(tmp_path / "in.txt"), str(tmp_path / "out"), RAY_ADDRESS=address, **here)
    assert done.stdout == "20\n", done.stderr
    assert len(list((tmp_path / "out").glob("part-*"))) == 4
    assert ray.is_initialized() and ray.get(ray.put(1)) == 1
