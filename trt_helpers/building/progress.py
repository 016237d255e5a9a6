"""A progress bar for builds, from TensorRT's own ``IProgressMonitor``; and whether bars are wanted at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from tqdm.auto import tqdm

from ..lanes import trt


class TqdmMonitor(trt.IProgressMonitor):
    """Shows the outermost phase of a build as a bar, and the phase inside it as its label.

    TensorRT may call it from its own threads. ``step_complete`` must return True: False, None or an exception
    cancels the build. A bar that cannot be drawn is no reason for that.
    """

    def __init__(self) -> None:
        trt.IProgressMonitor.__init__(self)
        self._bar: tqdm | None = None
        self._root = ""

    def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
        """A phase begins; the one without a parent is the whole build."""
        with suppress(Exception):
            if self._bar is None:
                self._root = phase_name
                self._bar = tqdm(total=num_steps, desc=phase_name, leave=False)
            else:
                self._bar.set_postfix_str(phase_name, refresh=False)

    def step_complete(self, phase_name: str, step: int) -> bool:
        """A step is done. True means: go on."""
        with suppress(Exception):
            if self._bar is not None and phase_name == self._root:
                self._bar.update()
        return True

    def phase_finish(self, phase_name: str) -> None:
        """A phase ends, also after a failure."""
        if phase_name == self._root:
            self.close()

    def close(self) -> None:
        """Remove the bar."""
        bar, self._bar = self._bar, None
        if bar is not None:
            with suppress(Exception):
                bar.close()


def is_wanted() -> bool:
    """Whether bars are shown where nobody says so: yes, unless ``TRT_HELPERS_PROGRESS=0``, as in tests."""
    return os.environ.get("TRT_HELPERS_PROGRESS", "1") != "0"


@contextmanager
def progress_monitor(wanted: bool | None = None) -> Iterator[TqdmMonitor | None]:
    """A monitor for one build, or None where no bar is wanted."""
    if is_wanted() if wanted is None else wanted:
        with closing(TqdmMonitor()) as monitor:
            yield monitor
    else:
        yield None
