import os

from tools.notebooks import LESSON_ENV

# A bare `pytest` runs under the same conditions as `make test`.
os.environ.update(LESSON_ENV)
# Tests compare with FP32. On a GPU, matrix products would have TF32's ten bits; NVIDIA's libraries read this once.
os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")
