"""Streams and a forked child: it is refused, as CUDA refuses it, and never waits for threads that are not there."""

import os
import subprocess
import sys

import pytest

import trt_helpers as th

pytestmark = [
    pytest.mark.skipif(th.device.type != "cpu", reason="on a GPU these are PyTorch's own streams"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
]

PROGRAM = """
import os, sys
import trt_helpers as th

{before}
if os.fork() == 0:
    try:
        {in_child}
        print("done")
    except th.TensorRTError as error:
        print(error.key)
    sys.stdout.flush()
    os._exit(0)  # as multiprocessing ends a forked child: its libraries cannot be taken down without their threads
os.wait()
"""
USED = "stream, event, gate = th.Stream(), th.Event(), th.Gate(); gate.hold(stream); event.record(stream)"


def printed(before: str, in_child: str) -> str:
    program = PROGRAM.format(before=before, in_child=in_child)
    # From Python 3.12 on a fork beside threads warns, rightly.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("use", ["stream.synchronize()", "event.synchronize()", "th.Stream()", "event.record()"])
def test_a_child_of_a_process_with_streams_is_refused(use):
    assert printed(USED, use) == "forked\n"


def test_a_child_of_a_process_without_streams_may_use_them():
    assert printed("", "th.Stream().synchronize()") == "done\n"
