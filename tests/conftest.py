import os

from tools.notebooks import LESSON_ENV

# A bare `pytest` runs under the same conditions as `make test`.
os.environ.update(LESSON_ENV)
