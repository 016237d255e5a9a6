"""The results as a page, and the goals beside what was measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

# The rows whose answers are demanded to be ours, without ours: the best of them is the one to beat.
PEERS = ("OnnxRuntime", "Eager", "BatchedPipeline", "Pipeline", "Copied")
TIMES_PEER = {"short": 2.1, "mixed": 2.1}
TIMES_PIPELINE = {"short": 10.0, "mixed": 5.2}
TIMES_COPIED = {"short": 19.0, "mixed": 7.2}
ON_GPU_TIMES_PIPELINE, ON_GPU_OF_TOKENIZER = 100.0, 70.0
HEAD = ("row", "sentences/s: median (low to high)", "ours is faster by", "of the matrix-product rate")
HEAD += ("operations a sentence", "padding", "memory", "at most, loading included", "same top five")


def best_peer(rows: dict) -> str:
    """The fastest float32 row that is not ours."""
    return max(PEERS, key=lambda name: rows[name]["per second"]["median"])


def goals(report: dict) -> Iterator[tuple[str, float, float, str]]:
    """Goal in words, what is wanted, what was measured, unit. More is better, but for memory."""
    if "overlap" in report:
        yield from _goals_on_gpu(report)
        return
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


def _goals_on_gpu(report: dict) -> Iterator[tuple[str, float, float, str]]:
    for name, measured in report["sets"].items():
        faster = measured["rows"]["Pipeline"]["ours is faster by"]["median"]
        yield f"{name}: against the pipeline", ON_GPU_TIMES_PIPELINE, faster, "times"
    share = 100 * report["overlap"]["of the tokenizer's rate"]["median"]
    yield "end to end, of the rate of transformers' tokenizer alone", ON_GPU_OF_TOKENIZER, share, "%"


def is_met(wanted: float, measured: float, unit: str) -> bool:
    """Whether a goal is met."""
    return measured <= wanted if unit == "MiB" else measured >= wanted


def page(report: dict) -> str:
    """The results in Markdown."""
    parts = [_head(report), *(_set(name, report) for name in report["sets"]), _goals(report)]
    parts += [_overlap(report["overlap"])] if "overlap" in report else []
    parts.append(_profile(report))
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
    place = "a GPU" if "overlap" in report else "two CPU cores"
    reasons = "" if "overlap" in report else "\n".join(map(_why, report["sets"], report["sets"].values()))
    return f"## Goals, set for {place}\n\n{_table(['goal', 'wanted', 'measured', ''], lines)}\n{reasons}\n"


def _why(name: str, measured: dict) -> str:
    """What a factor is made of: fewer operations, and how close each row comes to the machine's rate."""
    rows = measured["rows"]
    ours, peer, int8 = rows["Decoder"], rows[best_peer(rows)], rows.get("Int8")
    fewer = peer["operations per sentence"] / ours["operations per sentence"]
    words = f"""
{name}: the best peer carries out {fewer:.2f} times as many operations a sentence as ours, at
{peer["share of matrix rate"]:.0%} of the matrix-product rate; ours are done at {ours["share of matrix rate"]:.0%}.
More than {fewer:.2f} times is possible only where ours come closer to that rate than the peer's."""
    if int8:
        longer = ours["share of matrix rate"] / int8["share of matrix rate"]
        words += f"""
INT8 in blocks: the same operations as ours at {int8["share of matrix rate"]:.0%} of the float32 rate, so here an 8-bit
product in blocks takes {longer:.2f} of the time of a float32 one."""
    return words


def _overlap(found: dict) -> str:
    rates = [[name, f"{r['median']:,.0f} ({r['low']:,.0f} to {r['high']:,.0f})"] for name, r in found["rates"].items()]
    timeline = [[what, f"{share:.0%}"] for what, share in found["timeline"].items() if what != "ms"]
    return f"""## Overlapping, {found["sentences"]:,} sentences of the mixed set

{_table(["what", "sentences/s: median (low to high)"], rates)}

The timeline of one run of the decoder, {found["timeline"]["ms"]:,.0f} ms: for how much of it each kind of work went on.

{_table(["kind", "share"], timeline)}
"""


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
