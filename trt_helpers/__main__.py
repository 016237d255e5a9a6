"""The doctor: ``python -m trt_helpers``."""

import sys


def main() -> int:
    """Run the doctor; if no lane works at all, say why and exit with 1."""
    try:
        from .doctor import main as report
    except ImportError as error:  # LaneError too: importing the package chooses the lane
        print(error, file=sys.stderr)
        return 1
    return report()


if __name__ == "__main__":
    sys.exit(main())
