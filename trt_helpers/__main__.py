"""The command line: ``python -m trt_helpers`` is the doctor; ``verify`` and ``explain`` are its colleagues."""

import argparse
import sys


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m trt_helpers", description="Which lane this machine gets, and why.")
    parser.add_argument("--json", action="store_true", help="the report as JSON, for a bug report: no paths, no names")
    commands = parser.add_subparsers(dest="command", metavar="command")
    verify = commands.add_parser("verify", help="on a GPU that TensorRT supports: answer this project's open questions")
    verify.add_argument("--out", default="report.json", help="where to write the report (default: %(default)s)")
    explain = commands.add_parser("explain", help="what an error text of TensorRT means, and what to do")
    explain.add_argument("text", help="a log line, an exception or a whole traceback; - reads it from standard input")
    chosen = parser.parse_args(arguments)
    if chosen.command == "verify":
        from .verify import main as run_verify

        return run_verify(chosen.out)
    if chosen.command == "explain":
        from .explain import main as run_explain

        return run_explain(chosen.text)
    from .doctor import main as report

    return report(as_json=chosen.json)


if __name__ == "__main__":
    sys.exit(main())
