"""The command line: ``python -m trt_helpers`` is the doctor; the other commands are its colleagues."""

import argparse
import sys

from .lanes import LaneError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status. Where no lane works, the reasons are a message, not a traceback."""
    try:
        return _run(arguments)
    except LaneError as error:
        print(error, file=sys.stderr)
        return 1


def _run(arguments: list[str] | None) -> int:
    parser = argparse.ArgumentParser(prog="python -m trt_helpers", description="Which lane this machine gets, and why.")
    parser.add_argument("--json", action="store_true", help="the report as JSON, for a bug report: no paths, no names")
    commands = parser.add_subparsers(dest="command", metavar="command")
    verify = commands.add_parser("verify", help="on a GPU that TensorRT supports: answer this project's open questions")
    verify.add_argument("--out", default="report.json", help="where to write the report (default: %(default)s)")
    explain = commands.add_parser("explain", help="what an error text of TensorRT means, and what to do")
    explain.add_argument("text", help="a log line, an exception or a whole traceback; - reads it from standard input")
    _add_fill_mask(commands)
    chosen = parser.parse_args(arguments)
    if chosen.command == "verify":
        from .course.verify import main as run_verify

        return run_verify(chosen.out)
    if chosen.command == "explain":
        from .explain import main as run_explain

        return run_explain(chosen.text)
    if chosen.command == "fill-mask":
        from .scaling.command import main as run_fill_mask

        return run_fill_mask(chosen)
    from .doctor import main as report

    return report(as_json=chosen.json)


def _add_fill_mask(commands: argparse._SubParsersAction) -> None:
    fill = commands.add_parser("fill-mask", help="fill in [MASK], in a sentence or in files of millions")
    fill.add_argument("input", help="a sentence with [MASK]; or Parquet, .jsonl or text: a file, a folder or a glob")
    fill.add_argument("--out", help="the folder for the answers to files; one that was interrupted is continued")
    fill.add_argument("--top-k", type=int, default=5, help="words for each mask (default: %(default)s)")
    fill.add_argument("--model", help="a folder or a name on the Hub (default: the course's model)")
    files = fill.add_argument_group("for files (needs the packages of the extra `scale`)")
    files.add_argument("--workers", type=int, default=1, help="processes (default: %(default)s)")
    files.add_argument("--column", default="text", help="where Parquet and .jsonl have the sentence (default: text)")
    files.add_argument("--id-column", help="where they have an id (default: ids are made of file and row)")
    rows = "rows that a worker gets at once, and of an output file; fewer keep one worker busy (default: %(default)s)"
    files.add_argument("--batch-size", type=int, default=4096, help=rows)
    files.add_argument("--gpus-per-worker", type=float, help="default: 1 if this machine computes on a GPU, else 0")


if __name__ == "__main__":
    sys.exit(main())
