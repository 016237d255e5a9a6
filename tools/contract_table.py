"""The table of the behavioural contract in docs/contract.md, from tests/contract/rules.toml and what was run.

python -m tools.contract_table            write docs/contract.md
python -m tools.contract_table record     run tests/contract in this machine's lane, note what passed, then write
"""

import re
import subprocess
import sys
import tempfile
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from tools.notebooks import ROOT

FOLDER = ROOT / "tests" / "contract"
TABLE = ROOT / "docs" / "contract.md"
RULES, RUNS = FOLDER / "rules.toml", FOLDER / "lanes.toml"
LANES = ["tensorrt", "tensorrt_rtx", "reference", "reference on CUDA"]
TEST = re.compile(r"def (test_rule_(\d+)_\w+)")

INTRODUCTION = """# The contract

What TensorRT's Python runtime promises, rule by rule, as far as it is known from public sources and from calling
it. The reference runtime keeps these rules, and the tests in `tests/contract/` check them: written once, against
`trt` alone, they run in every lane. This page is made by `python -m tools.contract_table` from
`tests/contract/rules.toml`; `python -m tools.contract_table record` runs the tests on a machine and notes what passed.

Sources: **H** the public header `NvInferRuntime.h`; **B** the source of the Python bindings; **D** docstrings;
**G** the developer guides; **X** tried with the real bindings on a machine without a GPU; **C** measured on a GPU by
NVIDIA's cookbook; **P** Polygraphy, NVIDIA's own user of the API; **I** public issues and logs. A rule that has only
H, B, D or G has not been seen running.

Marks: **testable** and **build** rules (the builder is NVIDIA's own in every lane) have tests named after their
number. **No effect**: nothing corresponds to it here. **Undefined**: TensorRT leaves the outcome open, so nothing is
asserted; what the reference lane does is said beside it.
"""


def rules() -> dict[int, dict]:
    """All rules by number."""
    return {int(number): row for number, row in tomllib.loads(RULES.read_text(encoding="utf-8")).items()}


def tests() -> dict[int, list[str]]:
    """The names of the tests of each rule."""
    found: dict[int, list[str]] = {}
    for path in sorted(FOLDER.glob("test_*.py")):
        for name, number in TEST.findall(path.read_text(encoding="utf-8")):
            found.setdefault(int(number), []).append(name)
    return found


def runs() -> dict[str, dict]:
    """What was run: for each lane the versions and the rules that passed."""
    return tomllib.loads(RUNS.read_text(encoding="utf-8")) if RUNS.exists() else {}


def page() -> str:
    """The text of docs/contract.md."""
    ran, tested = runs(), tests()
    lines = [INTRODUCTION, "| lane | run with |", "| --- | --- |"]
    lines += [f"| {lane} | {ran[lane]['versions'] if lane in ran else 'not run'} |" for lane in LANES]
    lines += ["", f"| rule | what | source | mark | tests | {' | '.join(LANES)} |", "| --- " * (5 + len(LANES)) + "|"]
    for number, row in rules().items():
        text = row["text"] + (f" *{row['decision']}*" if "decision" in row else "")
        cells = [str(number), text, row["source"], row["mark"], str(len(tested.get(number, []))) or ""]
        cells += [_outcome(number, row, ran.get(lane)) for lane in LANES]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _outcome(number: int, row: dict, run: dict | None) -> str:
    if row["mark"] not in ("testable", "build"):
        return "–"
    if run and number in run.get("failed", []):
        return "**FAILED**"
    return "passed" if run and number in run["passed"] else "not run"


def record() -> int:
    """Run the contract tests here and note the rules of which every test passed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", str(FOLDER)]
        command += [f"--ignore={FOLDER / 'test_table.py'}"]  # it checks what is written here
        status = subprocess.run(command, cwd=ROOT).returncode
        cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    good, bad = set(), set()
    for case in cases:
        found = re.match(r"test_rule_(\d+)_", case.get("name", ""))
        if found:
            outcome = {child.tag for child in case} & {"failure", "error", "skipped"}
            if not outcome:
                good.add(int(found[1]))
            elif outcome != {"skipped"}:
                bad.add(int(found[1]))
    ran = runs()
    lane, versions = _lane()
    ran[lane] = {"versions": versions, "passed": sorted(good - bad), "failed": sorted(bad)}
    RUNS.write_text(_as_toml(ran), encoding="utf-8")
    return status


def _lane() -> tuple[str, str]:
    import platform

    import onnxruntime
    import torch

    from trt_helpers import device, lane, trt

    name = "reference on CUDA" if lane.name == "reference" and device.type == "cuda" else lane.name
    versions = f"{lane.trt.__name__ if lane.name != 'reference' else 'tensorrt_rtx'} {trt.__version__}"
    versions += f", ONNX Runtime {onnxruntime.__version__}" if lane.name == "reference" else ""
    versions += f", {torch.cuda.get_device_name()}" if device.type == "cuda" else ""
    return name, f"{versions}, Python {platform.python_version()}"


def _as_toml(ran: dict[str, dict]) -> str:
    lines = ["# Written by `python -m tools.contract_table record`: the rules of which every test that ran passed."]
    for lane in LANES:
        if lane in ran:
            lines += ["", f'["{lane}"]', f'versions = "{ran[lane]["versions"]}"', f"passed = {ran[lane]['passed']}"]
            lines += [f"failed = {ran[lane].get('failed', [])}"]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Record if asked to, then write the page."""
    status = record() if arguments == ["record"] else 0
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(page(), encoding="utf-8")
    print(f"wrote {TABLE.relative_to(ROOT)}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
