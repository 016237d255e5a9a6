import json
import subprocess
import sys

import pytest

from tools.notebooks import ROOT


@pytest.mark.slow
def test_one_small_run_measures_every_row_and_writes_both_files(tmp_path):
    command = [sys.executable, "-m", "benchmarks", "--turns", "1", "--sentences", "8", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (data,) = tmp_path.glob("*.json")
    found, page = json.loads(data.read_text()), data.with_suffix(".md").read_text()
    for measured in found["sets"].values():
        rows = measured["rows"]
        assert {"Decoder", "OnnxRuntime", "Eager", "BatchedPipeline", "Pipeline", "Copied"} <= rows.keys()
        for row in rows.values():
            assert row["title"] in page
            assert row["same top 5"] == 1 or not row["exact"]
            assert row["seconds"][0] > 0 and 0 <= row["padding"] < 1 and row["operations per sentence"] > 1e8
    assert all(0 < row["after"] <= row["peak"] + 1 for row in found["memory"].values())
    assert "Goals" in page and "Where our time goes" in page
