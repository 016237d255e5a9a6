"""See to it that Chromium is there: python -m tools.chromium

Debian's package, because it comes with the system's updates. Where it cannot be installed, it is said what to do.
"""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALL = (["apt-get", "update"], ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"])
HELP = """\
The browser tests need Chromium, and there is none on the PATH. On Debian, as root:
  apt-get update && apt-get install chromium
Elsewhere install Chromium or Chrome, or name its program: CHROMIUM=/path/to/it make test-browser"""


def find() -> str | None:
    """Return the path of the browser: the one that CHROMIUM names, or the first on the PATH."""
    named = os.environ.get("CHROMIUM")
    return shutil.which(named) if named else next(filter(None, map(shutil.which, NAMES)), None)


def may_install() -> bool:
    """Tell whether apt can be used: it is there, and this is root."""
    return shutil.which("apt-get") is not None and hasattr(os, "geteuid") and os.geteuid() == 0


def main() -> int:
    """Find the browser, or install it, or say how; return the exit status."""
    if find():
        return 0
    if os.environ.get("CHROMIUM") or not may_install():
        print(HELP)
        return 1
    print("Installing Debian's chromium.", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in INSTALL:
        done = subprocess.run(step, env=quiet, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            print(f"{' '.join(step)} failed:\n{done.stderr[-2000:]}\n{HELP}")
            return 1
    return 0 if find() else 1


if __name__ == "__main__":
    sys.exit(main())
