"""A thousand damaged plans, and a process that is killed while it saves one."""

import random
import signal
import subprocess
import sys
import time

import pytest

from tests.contract.support import RELU, SMALL, model, plan
from trt_helpers import lane, load_engine, logger, trt
from trt_helpers.engine import save_plan

pytestmark = pytest.mark.slow


@pytest.fixture
def quiet():
    shown, logger.show = logger.show, None
    logger.clear()
    yield
    logger.show = shown


def damaged(good: bytes, dice: random.Random) -> bytes:
    """Bytes flipped, a piece overwritten, cut off at either end, pieces added or doubled."""
    size, where = len(good), dice.randrange(len(good))
    kind = dice.randrange(6)
    if kind == 0:
        bad = bytearray(good)
        for _ in range(dice.choice([1, 1, 2, 50])):
            bad[dice.randrange(size)] ^= 1 << dice.randrange(8)
        return bytes(bad)
    if kind == 1:
        piece = dice.randbytes(dice.randrange(1, 200))
        return good[:where] + piece + good[where + len(piece) :]
    if kind == 2:
        return good[:where]
    if kind == 3:
        return good[where + 1 :]
    if kind == 4:
        return good[:where] + dice.randbytes(dice.randrange(1, 100)) + good[where:]
    return good + good[-where - 1 :]


@pytest.mark.skipif(lane.name != "reference", reason="TensorRT does not promise to survive a damaged plan")
def test_a_thousand_damaged_plans_are_none_and_one_line_each(quiet):
    good = bytes(trt.plan_from_onnx_alone(model(RELU), [SMALL], logger))
    runtime, dice, tried = trt.Runtime(logger), random.Random(7), 0
    while tried < 1000:
        bad = damaged(good, dice)
        if bad == good:
            continue
        tried += 1
        logger.clear()
        assert runtime.deserialize_cuda_engine(bad) is None
        assert len(logger.errors) == 1 and "IRuntime::deserializeCudaEngine: Error Code" in logger.errors[0]
    assert runtime.deserialize_cuda_engine(good) is not None


@pytest.mark.skipif(lane.name != "reference", reason="the reference lane's own plans")
def test_every_length_of_a_truncated_plan_is_refused(quiet):
    good = bytes(trt.plan_from_onnx_alone(model(RELU), [SMALL], logger))
    runtime = trt.Runtime(logger)
    for length in range(len(good)):
        assert runtime.deserialize_cuda_engine(good[:length]) is None


SAVE = """
import sys
from trt_helpers import save_plan
plan = open(sys.argv[1], "rb").read() * 200
print("saving", flush=True)
while True:
    save_plan(plan, sys.argv[2])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("moment", [0.0, 0.003, 0.01, 0.03])
def test_a_process_killed_while_saving_leaves_a_whole_file(tmp_path, moment):
    """Either the old file or the new one, never half of one."""
    old, target = bytes(memoryview(plan(RELU, SMALL))), tmp_path / "engine.plan"
    (tmp_path / "source").write_bytes(old)
    save_plan(old, target)
    command = [sys.executable, "-c", SAVE, str(tmp_path / "source"), str(target)]
    saving = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert saving.stdout.readline() == "saving\n"
    time.sleep(moment)
    saving.send_signal(signal.SIGKILL)
    saving.wait()
    assert target.stat().st_size in (len(old), len(old) * 200)
    if target.stat().st_size == len(old):
        assert target.read_bytes() == old and load_engine(target) is not None
