"""The results as a page, and the goals beside what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

# The rows whose answers are demanded to be ours, without ours: the best of them is the one to beat.
PEERS = ("OnnxRuntime", "Eager", "BatchedPipeline", "Pipeline", "Copied")
TIMES_PEER = {"short": 2.1, "mixed": 2.1}
TIMES_PIPELINE = {"short": 10.0, "mixed": 5.2}
TIMES_COPIED = {"short": 19.0, "mixed": 7.2}
HEAD = ("row", "sentences/s: median (low to high)", "ours is faster by", "of the matrix-product rate")
HEAD += ("operations a sentence", "padding", "memory", "at most, loading included", "same top five")


def best_peer(rows: dict) -> str:
    """The fastest float32 row that is not ours."""
    return max(PEERS, key=lambda name: rows[name]["per second"]["median"])


def goals(report: dict) -> Iterator[tuple[str, float, float, str]]:
    """Goal in words, what is wanted, what was measured, unit. More is better, but for memory."""
    for name, measured in report["sets"].items():
        rows = measured["rows"]
        faster = {row: rows[row]["ours is faster by"]["median"] for row in rows}
        peer = best_peer(rows)
        yield f"{name}: against the pipeline", TIMES_PIPELINE[name], faster["Pipeline"], "times"
        yield f"{name}: against the copied workflow", TIMES_COPIED[name], faster["Copied"], "times"
        title = f"{name}: against the best float32 peer ({rows[peer]['title']})"
        yield title, TIMES_PEER[name], faster[peer], "times"
        if "Int8" in rows:
            int8 = faster[peer] / faster["Int8"]
            yield f"{name}: INT8 in blocks against that peer", 3.0, int8, "times"
            yield f"{name}: its first words agree", 98.0, 100 * rows["Int8"]["same first"], "%"
    share = report["large batch"]["share"]["median"]
    yield "64 sentences of 32 tokens: of the matrix-product rate", 70.0, 100 * share, "%"
    bare, ours = report["memory"]["OnnxRuntime"]["after"], report["memory"]["Decoder"]["after"]
    yield "memory: at most that of bare ONNX Runtime and 10 %", 1.1 * bare, ours, "MiB"


def is_met(wanted: float, measured: float, unit: str) -> bool:
    """Whether a goal is met."""
    return measured <= wanted if unit == "MiB" else measured >= wanted


def page(report: dict) -> str:
    """The results in Markdown."""
    parts = [_head(report), *(_set(name, report) for name in report["sets"]), _goals(report), _profile(report)]
    return "\n".join(parts)


def _head(report: dict) -> str:
    return f"""# Speed on {_device(report)}

Written by `make bench`; all figures behind it are in the JSON file beside it. Lane `{report["lane"]}`. The rows have
the same weights and threads and ran in {report["turns"]} turns, each in a new random order, on the sentences in
[../data](../data/README.md).

{_table(["machine", ""], list(report["machine"].items()))}
"""


def _device(report: dict) -> str:
    machine = report["machine"]
    return machine.get("GPU", f"{machine['cores']} CPU cores")


def _set(name: str, report: dict) -> str:
    measured = report["sets"][name]
    rates = ", ".join(
        f"{library} {rate['median'] / 1e9:,.0f} ({rate['low'] / 1e9:,.0f} to {rate['high'] / 1e9:,.0f})"
        for library, rate in measured["matrix products per second"].items()
    )
    lines = [_row(key, row, report) for key, row in measured["rows"].items()]
    return f"""## {name}: {measured["sentences"]:,} sentences, {measured["mean tokens"]:.1f} tokens on average

{_table(HEAD, lines)}

Matrix products of 2048 x 2048 float32, measured in the same turns, in 10^9 operations a second: {rates}.
"""


def _row(key: str, row: dict, report: dict) -> list[str]:
    speed, faster, memory = row["per second"], row["ours is faster by"], report["memory"][key]
    notes = []
    if row["sentences"] < max(r["sentences"] for s in report["sets"].values() for r in s["rows"].values()):
        notes.append(f"{row['sentences']} sentences")
    if row["size"] > 1:
        notes.append(f"batches of {row['size']} {'sentences' if key == 'BatchedPipeline' else 'tokens'}")
    title = f"{row['title']} ({', '.join(notes)})" if notes else row["title"]
    return [
        title,
        f"{speed['median']:,.1f} ({speed['low']:,.1f} to {speed['high']:,.1f})",
        f"{faster['median']:.2f} ({faster['low']:.2f} to {faster['high']:.2f})",
        f"{row['share of matrix rate']:.0%}",
        f"{row['operations per sentence'] / 1e6:,.0f} million",
        f"{row['padding']:.1%}",
        f"{memory['after']:,.0f} MiB",
        f"{memory['peak']:,.0f} MiB",
        f"{row['same top 5']:.2%}" if row["exact"] else f"first word {row['same first']:.2%}",
    ]


def _goals(report: dict) -> str:
    lines = []
    for words, wanted, measured, unit in goals(report):
        gap = "met" if is_met(wanted, measured, unit) else f"missed by {abs(measured - wanted) / wanted:.1%}"
        lines.append([words, f"{wanted:,.1f} {unit}", f"{measured:,.2f} {unit}", gap])
    return f"## Goals, set for two CPU cores\n\n{_table(['goal', 'wanted', 'measured', ''], lines)}\n"


def _profile(report: dict) -> str:
    profile, sets = report["profile"], list(report["sets"])
    steps = [[step] + [f"{profile['steps'][name][step]:.1%}" for name in sets] for step in profile["steps"][sets[0]]]
    parts = [f"## Where our time goes\n\n{_table(['step', *sets], steps)}\n"]
    if profile["operators"]:
        operators = [[kind, f"{share:.1%}"] for kind, share in profile["operators"].items() if share >= 0.002]
        parts.append("Inside the engine, 64 sentences of 32 tokens on one thread, by ONNX Runtime's own profile:\n")
        parts.append(f"{_table(['operator', 'share'], operators)}\n")
    return "\n".join(parts)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *lines))
