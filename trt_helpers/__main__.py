"""The doctor: ``python -m trt_helpers``."""

import sys

from .doctor import main

if __name__ == "__main__":
    sys.exit(main())
