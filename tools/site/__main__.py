"""Build the site: python -m tools.site (make site)

Plain files in build/site. Nothing is executed and nothing is fetched. Sphinx's warnings, such as a link that leads
nowhere, are errors.
"""

import shutil
import subprocess
import sys

from tools.notebooks import ROOT
from tools.site.contents import find
from tools.site.pages import write_all

WORK = ROOT / "build/site-work"
SITE = ROOT / "build/site"


def main() -> int:
    """Make the site afresh, so that every warning is seen every time; return Sphinx's exit status."""
    for folder in (WORK, SITE):
        shutil.rmtree(folder, ignore_errors=True)
    write_all(find(ROOT), WORK / "source")
    strict = ["-W", "--keep-going", "-q", "-j", "2"]
    folders = ["-c", str(ROOT / "docs/site"), "-d", str(WORK / "read"), str(WORK / "source"), str(SITE)]
    status = subprocess.run([sys.executable, "-m", "sphinx", "-b", "html", *strict, *folders], cwd=ROOT).returncode
    if not status:
        print("Open build/site/index.html in a browser.")
    return status


if __name__ == "__main__":
    sys.exit(main())
