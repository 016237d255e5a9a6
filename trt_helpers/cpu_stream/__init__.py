"""Streams, events and gates without a GPU: what CUDA's are on a GPU, worker threads are here.

A stream is a queue of work that is done one piece after the other. Putting work into it returns at once; two
streams know nothing of each other, unless an event ties them together. That is all that CUDA promises, and it
is enough to be right or wrong in the same places: an output read before ``synchronize`` is as wrong here as on
a GPU.

What fails on a stream is sticky: the work behind it is dropped, and whoever waits for the stream, or for an event
recorded on it, gets the error. (CUDA is harsher: after an error of a kernel every stream of the process is lost.)

``work.py`` has a stream's queue and its worker thread, ``streams.py`` what is seen of them.
"""

from .streams import CpuEvent, CpuGate, CpuStream, default_stream, event_of, stream_of, synchronize_all

__all__ = ["CpuEvent", "CpuGate", "CpuStream", "default_stream", "event_of", "stream_of", "synchronize_all"]
