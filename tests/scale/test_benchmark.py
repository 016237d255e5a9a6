"""The benchmark's own arithmetic, and that the stored page is what the stored results say."""

import pyarrow as pa
import pytest

from benchmarks import scaling, scaling_page
from trt_helpers.scaling.reports import PartDone


def report(worker: int, started: float, ended: float, rows: int = 100) -> PartDone:
    return PartDone("part", rows, 0, started, ended, worker, 0)


def test_one_workers_steady_rate_is_all_it_did():
    assert scaling.steady_rate([report(1, 0, 1), report(1, 1, 2), report(1, 2, 4)]) == pytest.approx(300 / 4)


def test_steady_is_while_both_are_busy():
    both = [report(1, 0, 2), report(1, 2, 4), report(2, 1, 3), report(2, 3, 5)]
    # from 1 to 4: half of the first part, all of two, half of the last
    assert scaling.steady_rate(both) == pytest.approx(300 / 3)


def test_a_rate_of_nothing_is_no_result():
    with pytest.raises(RuntimeError, match="2 workers were never all busy at once: give them more rows with --rows"):
        scaling._medians({1: [100.0], 2: [0.0]}, {1: [1.0], 2: [1.0]})


def test_other_words_are_counted_row_by_row():
    first = pa.table({"id": ["a", "b", "c"], "words": [[["x"]], [["y"]], []]})
    other = pa.table({"id": ["a", "b"], "words": [[["x"]], [["z"]]]})
    assert scaling.other_words(first, first) == 0
    assert scaling.other_words(first, other) == 2, "one has another word, one is missing"


def test_workers_that_never_met_have_no_steady_rate():
    assert scaling.steady_rate([report(1, 0, 1), report(2, 2, 3)]) == 0.0


FOUND = {
    "machine": {"cores": "2"},
    "lane": "reference",
    "device": "cpu",
    "turns": 3,
    "rows": 8000,
    "part rows": 500,
    "alone": 110.0,
    "rows with other words": 0,
    "workers": {
        "1": {"rate": 100.0, "rates": [90.0, 100.0, 120.0], "times the first": 1.0, "start up": 20.0},
        "2": {"rate": 180.0, "rates": [170.0, 180.0, 190.0], "times the first": 1.8, "start up": 21.0},
    },
    "memory": {"10,000": 700.0, "100,000": 701.0},
    "stub memory": {"1,000,000": 500.0},
    "reading": {"txt": 900_000.0},
    "writing": 90_000.0,
}


def test_the_page_says_what_a_billion_costs_and_who_feeds_whom():
    text = scaling_page.page([FOUND])
    assert "| 2 workers, one thread each | 180.0 (170.0 to 190.0) | 1.80 | 21 s |" in text
    assert "**3,086 core hours**\n(10^9 / 90.0 / 3600)" in text
    assert "| txt | 900,000 | 10,000 |" in text and "0.10% of its time" in text
    assert scaling_page.results(FOUND).startswith("# Workers on 2 CPU cores\n")
    assert "Compared row by row, every run gave the same words." in text
    assert "7 rows had other words in some runs than in the first" in scaling_page.page(
        [FOUND | {"rows with other words": 7}]
    )


def test_gpus_have_figures_of_their_own_beside_the_cpus():
    gpus = FOUND | {"device": "cuda", "machine": {"cores": "16", "GPU": "Some GPU", "GPUs": "2"}}
    text = scaling_page.page([FOUND, gpus])
    assert text.index("## Workers on 2 CPU cores") < text.index("## Workers on 2 x Some GPU")
    assert "2 workers, one GPU each" in text and "GPU hours" in text
    fast = gpus | {"workers": {"1": gpus["workers"]["1"] | {"rate": 12_000.0}}}
    assert "1.4 minutes on a thousand of these GPUs" in scaling_page.page([fast])
    assert len(set(scaling_page.NAMES.values())) == 2


def test_the_page_says_whose_memory_it_is():
    own, resident = (scaling_page.figures(FOUND | {"memory is": kind}) for kind in ("own", "resident"))
    assert "Memory of a worker, without libraries" in own and "Resident memory of a worker, with what" in resident
    assert scaling_page.figures(FOUND) == resident, "results of before"


def test_without_results_the_page_has_no_figure():
    assert "Not measured yet." in scaling_page.page([]) and "billion" not in scaling_page.page([])


def test_the_stored_page_is_what_the_stored_results_say():
    assert scaling_page.PAGE.read_text() == scaling_page.page(scaling_page.stored())
