"""Decoders that need no model, for workers in other processes. Each is made by a class that can be pickled."""

import os
import signal
from pathlib import Path

from trt_helpers.decoding.answers import Candidate, Filled


class Echo:
    """The one word that it proposes is the sentence's last."""

    def __call__(self, sentences, top_k=5, progress=None):
        return [self.one(sentence, top_k) for sentence in sentences]

    def one(self, sentence, top_k):
        if "[MASK]" not in sentence:
            return Filled(sentence, [], "it has no [MASK].")
        return Filled(sentence, [[Candidate(sentence.split()[-1], 1 / (i + 1)) for i in range(top_k)]])


class Waiting(Echo):
    """As slow as a file says: it waits until that is there."""

    def __init__(self, gate: Path) -> None:
        self.gate = gate

    def __call__(self, sentences, top_k=5, progress=None):
        import time

        while any("wait" in sentence for sentence in sentences) and not self.gate.exists():
            time.sleep(0.01)  # the pace of asking; the file decides
        return super().__call__(sentences, top_k)


class Meeting(Echo):
    """A worker that waits with its first part until so many workers have one.

    Without it one worker may have done all of a small input before the next one is there.
    """

    def __init__(self, folder: Path, workers: int) -> None:
        self.folder, self.workers = folder, workers

    def __call__(self, sentences, top_k=5, progress=None):
        import time

        (self.folder / f"{os.getpid()}").touch()
        give_up = time.monotonic() + 300
        while (here := len(list(self.folder.iterdir()))) < self.workers:
            if time.monotonic() > give_up:
                raise RuntimeError(f"{here} of {self.workers} workers came")
            time.sleep(0.01)  # the pace of asking; the others decide
        return super().__call__(sentences, top_k)


class Deadly(Echo):
    """A sentence kills the process that decodes it, as a fault in native code would."""

    def __call__(self, sentences, top_k=5, progress=None):
        if any("die" in sentence for sentence in sentences):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(sentences, top_k)


class DiesLoading(Echo):
    """It takes its process with it before it is there, as one that needs too much memory."""

    def __init__(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)
