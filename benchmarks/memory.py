"""How much memory a row takes, in a process of its own: growth over what its imports took.

    python -m benchmarks.memory Decoder 1024 100

Prints JSON: MiB after the row has run twice, and the most that it had at any time, loading included.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SENTENCES = 100


def of_row(name: str, size: int, count: int = SENTENCES) -> dict[str, float]:
    """Start a process for a row with its batch size, and return what it measured on ``count`` mixed sentences.

    Raises:
        RuntimeError: the process failed; with the end of what it said.
    """
    command = [sys.executable, "-m", "benchmarks.memory", name, str(size), str(count)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"the memory of {name} could not be measured:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure(name: str, size: int, count: int) -> dict[str, float]:
    """In this process: imports first, then everything else."""
    import psutil
    import transformers
    from transformers import BertForMaskedLM, pipeline  # noqa: F401  (both are imported only when asked for)
    from transformers.models.auto import AutoModelForMaskedLM, AutoTokenizer  # noqa: F401

    from . import rows, sentence_sets

    transformers.logging.disable_progress_bar()
    sentences = sentence_sets.read("mixed")[:count]
    row, process = rows.ROWS[name](), psutil.Process()
    row.size = size
    before = process.memory_info().rss
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak of the imports
    row.load()
    row.run(sentences)
    row.run(sentences)
    after = process.memory_info().rss
    return {"after": (after - before) / 2**20, "peak": (_peak(after) - before) / 2**20}


def _peak(otherwise: int) -> int:
    """The largest resident size so far; not known outside Linux."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return otherwise


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
