"""A JupyterLab of its own: a copy of the course, started by `make lab` as a learner starts it."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from urllib.parse import urlsplit

from tools.notebooks import LESSON_ENV, ROOT

TOKEN = "browser-tests"
START_S, STOP_S = 120, 30
RUNNING = re.compile(r"(http://127\.0\.0\.1:\d+)/lab")
# Nobody is asked whether to fetch news from the network.
SETTINGS = {"@jupyterlab/apputils-extension/notification.jupyterlab-settings": {"fetchNews": "false"}}


@dataclass(frozen=True)
class Lab:
    """A running server, and the folder that it serves."""

    address: str
    folder: Path

    def url(self, notebook: str) -> str:
        """Return the address at which a notebook opens, alone."""
        return f"{self.address}/lab/tree/notebooks/{notebook}?reset&token={TOKEN}"


def copy_course(target: Path) -> None:
    """Copy what git tracks or would track, so that the working tree stays as it is."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:  # not a checkout: all but what was installed or built
        shutil.copytree(ROOT, target, ignore=shutil.ignore_patterns(".venv", "build", "__pycache__", ".*_cache"))
        return
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target / name)


def environment(private: Path) -> dict[str, str]:
    """Return an environment in which Jupyter keeps settings and traces in a folder of its own."""
    for name, value in SETTINGS.items():
        path = private / "config/lab/user-settings" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))
    folders = {"JUPYTER_CONFIG_DIR": "config", "JUPYTER_RUNTIME_DIR": "runtime", "IPYTHONDIR": "ipython"}
    # A surrounding make passes its own variables on; they are not for this one.
    outer = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    own = {name: str(private / folder) for name, folder in folders.items()}
    return {**outer, **LESSON_ENV, **own, "JUPYTER_TOKEN": TOKEN}


@contextmanager
def running_lab(folder: Path) -> Iterator[Lab]:
    """Copy the course below `folder`, serve it on 127.0.0.1, and stop the server at the end."""
    course = folder / "course"
    copy_course(course)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["make", "lab", f"PYTHON={sys.executable}", f"LAB_ARGS=--no-browser --port {port}"]
    server = subprocess.Popen(
        command,
        cwd=course,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        address = address_of(server)
        wait_until_it_listens(address)
        yield Lab(address, course)
    finally:
        stop(server)


def address_of(server: subprocess.Popen) -> str:
    """Wait until the server says where it runs; whatever else it says is shown if it does not."""
    lines: Queue[str] = Queue()

    def read() -> None:
        for line in server.stdout:
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    said = []
    try:
        while line := lines.get(timeout=START_S):
            said.append(line)
            if found := RUNNING.search(line):
                return found[1]
    except Empty:
        pass
    raise RuntimeError(f"make lab started no server:\n{''.join(said)}")


def wait_until_it_listens(address: str) -> None:
    """Jupyter Server says that it is running some time before it takes connections."""
    server = urlsplit(address)
    give_up = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection((server.hostname, server.port)).close()
            return
        except ConnectionRefusedError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)


def stop(server: subprocess.Popen) -> None:
    """Ask the server and make, which are a group of their own, to end; insist if they do not."""
    for demand in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, demand)
            server.wait(STOP_S)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
