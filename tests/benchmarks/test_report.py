import copy

import pytest

from benchmarks import report, timing


def row(title: str, per_second: float, faster: float, **more) -> dict:
    spread = lambda value: {"median": value, "low": value * 0.9, "high": value * 1.1}
    facts = {"title": title, "exact": True, "size": 1, "sentences": 200, "padding": 0.1, "share of matrix rate": 0.5}
    facts |= {"operations per sentence": 5e8, "same top 5": 1.0, "same first": 1.0}
    return {**facts, "per second": spread(per_second), "ours is faster by": spread(faster), **more}


@pytest.fixture
def measured() -> dict:
    rows = {
        "Decoder": row("ours", 400, 1),
        "OnnxRuntime": row("bare", 160, 2.5),
        "Eager": row("eager", 150, 2.6),
        "BatchedPipeline": row("batched", 80, 5),
        "Pipeline": row("pipeline", 40, 11),
        "Copied": row("copied", 20, 20),
        "Int8": row("int8", 480, 0.8, exact=False, **{"same first": 0.985}),
    }
    products = {"PyTorch": {"median": 2e11, "low": 1.9e11, "high": 2.1e11}}
    one = {"sentences": 200, "mean tokens": 12.0, "matrix products per second": products, "rows": rows}
    steps = {"run the engine": 0.97, "everything else": 0.03}
    return {
        "machine": {"processor": "a processor", "cores": "2"},
        "lane": "reference",
        "turns": 3,
        "sets": {"short": one, "mixed": copy.deepcopy(one)},
        "large batch": {"share": {"median": 0.8}},
        "memory": {name: {"after": 200.0, "peak": 300.0} for name in rows},
        "profile": {"steps": {"short": steps, "mixed": steps}, "operators": {"Gemm": 0.9, "Add": 0.0001}},
    }


def found(measured: dict) -> dict[str, bool]:
    return {words: report.is_met(wanted, value, unit) for words, wanted, value, unit in report.goals(measured)}


def test_all_goals_met(measured):
    goals = found(measured)
    assert len(goals) == 12 and all(goals.values()), goals


@pytest.mark.parametrize(
    ("break_it", "missed"),
    [
        (
            lambda r: r["sets"]["short"]["rows"]["Pipeline"]["ours is faster by"].update(median=9.9),
            "short: against the p",
        ),
        (
            lambda r: r["sets"]["mixed"]["rows"]["Copied"]["ours is faster by"].update(median=7.1),
            "mixed: against the c",
        ),
        (lambda r: r["sets"]["mixed"]["rows"]["OnnxRuntime"]["ours is faster by"].update(median=2.0), "(bare)"),
        (lambda r: r["sets"]["short"]["rows"]["Int8"].update({"same first": 0.97}), "first words agree"),
        (lambda r: r["large batch"]["share"].update(median=0.69), "matrix-product rate"),
        (lambda r: r["memory"]["Decoder"].update(after=221.0), "memory"),
    ],
)
def test_a_missed_goal_is_said(measured, break_it, missed):
    break_it(measured)
    goals = found(measured)
    assert [words for words, met in goals.items() if not met and missed in words]
    assert "missed by" in report.page(measured)


def test_the_page_says_what_a_factor_is_made_of(measured):
    measured["sets"]["short"]["rows"]["Decoder"].update({"operations per sentence": 2.5e8, "share of matrix rate": 0.8})
    page = report.page(measured)
    assert "short: the best peer carries out 2.00 times as many operations a sentence as ours" in page
    assert "product in blocks takes 1.60 of the time of a float32 one" in page
    assert "mixed: the best peer carries out 1.00 times" in page


def test_a_gpu_has_goals_and_a_section_of_its_own(measured):
    rate = {"median": 3e4, "low": 2e4, "high": 4e4}
    timeline = {"ms": 100.0, "tokenise": 0.4, "execute": 0.9}
    share = {"median": 0.75, "low": 0.7, "high": 0.8}
    measured["overlap"] = {"sentences": 40_000, "rates": {"decoder": rate}, "of the tokenizer's rate": share}
    measured["overlap"]["timeline"] = timeline
    assert list(found(measured).values()) == [False, False, True]
    measured["sets"]["short"]["rows"]["Pipeline"]["ours is faster by"]["median"] = 101
    assert list(found(measured).values()) == [True, False, True]
    page = report.page(measured)
    assert "| decoder | 30,000 (20,000 to 40,000) |" in page and "| execute | 90% |" in page and "for a GPU" in page


def test_the_best_peer_is_the_fastest_that_is_not_ours(measured):
    rows = measured["sets"]["short"]["rows"]
    assert report.best_peer(rows) == "OnnxRuntime"
    rows["Eager"]["per second"]["median"] = 170
    assert report.best_peer(rows) == "Eager"


def test_page_has_every_row_machine_and_profile(measured):
    page = report.page(measured)
    for words in ("# Speed on 2 CPU cores", "a processor", "| ours |", "| copied |", "98.50%", "Gemm | 90.0%", "97.0%"):
        assert words in page, words
    assert "missed" not in page and "Add" not in page
    widths = {line.count("|") for line in page.splitlines() if line.startswith("| ours")}
    assert widths == {len(report.HEAD) + 1}


def test_turns_are_shuffled_and_all_taken():
    order = []
    sides = {name: (lambda name=name: order.append(name)) for name in "abcd"}
    times = timing.interleaved(sides, turns=20)
    assert {name: len(taken) for name, taken in times.items()} == dict.fromkeys("abcd", 20)
    turns = [tuple(order[i : i + 4]) for i in range(0, 80, 4)]
    assert all(set(turn) == set("abcd") for turn in turns) and len(set(turns)) > 5


def test_ratio_is_taken_turn_by_turn():
    assert timing.ratio([2.0, 30.0, 4.0], [1.0, 10.0, 2.0]) == {"median": 2.0, "low": 2.0, "high": 3.0}
