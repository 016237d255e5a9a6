"""Say in one sentence why this machine's Python cannot run the course, before pip says it in a hundred lines.

Written for any Python 3, because an old one must be able to read it.
"""

import platform
import sys

OLDEST, NEWEST = (3, 11), (3, 13)
SYSTEMS = ("Linux", "Windows")
MACHINES = ("x86_64", "AMD64")


def complaint(version, bits, system, machine):
    """Return what is wrong with this Python for the course, or an empty string.

    `version` is (major, minor), `bits` the size of a pointer, `system` and `machine` as in `platform`.
    """
    if not OLDEST <= version <= NEWEST:
        return (
            "The course needs Python 3.11, 3.12 or 3.13 and this is Python {}.{}. "
            "Name another one, for example: make lab PYTHON=python3.12".format(*version)
        )
    if bits != 64:
        return "The course needs a 64-bit Python and this one has {} bits.".format(bits)
    if system not in SYSTEMS or machine not in MACHINES:
        return (
            "TensorRT's wheels exist for Linux and Windows on x86-64 processors, and this is {} on {}. "
            "Use such a machine, or read the notebooks: all their outputs are stored.".format(system, machine)
        )
    return ""


if __name__ == "__main__":
    bits = 64 if sys.maxsize > 2**32 else 32
    sys.exit(complaint(tuple(sys.version_info[:2]), bits, platform.system(), platform.machine()) or 0)
