"""What is quoted from stored results is what they say."""

import json

import pytest

from benchmarks import report
from tools.notebooks import ROOT

RESULTS = ROOT / "benchmarks" / "results"


def readme() -> str:
    return " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())


@pytest.fixture(params=sorted(RESULTS.glob("c*.json")), ids=lambda path: path.stem)
def stored(request):
    return request.param


def test_the_page_is_of_the_figures_beside_it(stored):
    assert stored.with_suffix(".md").read_text(encoding="utf-8") == report.page(json.loads(stored.read_text()))


def test_every_float32_row_gave_the_same_answers(stored):
    sets = json.loads(stored.read_text())["sets"]
    rows = [row for found in sets.values() for row in found["rows"].values() if row["exact"]]
    assert len(rows) == 12 and {row["same top 5"] for row in rows} == {1.0}


def test_the_readme_quotes_the_stored_results():
    sets = json.loads((RESULTS / "cpu.json").read_text())["sets"]
    rates, pipeline, peer = [], [], []
    for found in (sets["short"], sets["mixed"]):
        rows = found["rows"]
        rates.append(f"{rows['Decoder']['per second']['median']:.0f}")
        pipeline.append(f"{rows['Pipeline']['ours is faster by']['median']:.1f}")
        peer.append(f"{rows[report.best_peer(rows)]['ours is faster by']['median']:.1f}")
    quoted = (
        f"{rates[0]} short sentences a second (12 tokens on average) and {rates[1]} mixed ones (32 tokens): "
        f'{pipeline[0]} and {pipeline[1]} times `pipeline("fill-mask")`, '
        f"{peer[0]} and {peer[1]} times the fastest other way in float32"
    )
    assert quoted in readme()


def test_the_readme_quotes_the_gpu_and_the_workers():
    sets = json.loads((RESULTS / "cuda.json").read_text())["sets"]
    times = [sets[name]["rows"]["Pipeline"]["ours is faster by"] for name in ("short", "mixed")]
    short, mixed = (f"{found['median']:.0f} ({found['low']:.0f} to {found['high']:.0f})" for found in times)
    assert f'On an H100 it was {short} and {mixed} times `pipeline("fill-mask")`' in readme()
    cpu, gpu = (json.loads((RESULTS / f"{name}.json").read_text()) for name in ("scaling", "scaling-cuda"))
    two, gpus = cpu["workers"]["2"], gpu["workers"]["2"]
    assert (
        f"two CPU workers of one thread did {two['times the first']:.2f} times what one does and "
        f"{two['rate'] / cpu['alone, all threads']:.2f} times one process on both cores; two H100s "
        f"{gpus['times the first']:.2f} times one worker, "
        f"{gpus['rate'] / gpu['alone']:.2f} times one process without Ray"
    ) in readme()
