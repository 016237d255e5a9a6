"""One local Ray for all tests in here. Without the extra `scale` none of them is collected; `make test-slow` has it."""

import importlib.util

import pytest

from tests.unit.conftest import cache, tiny_bert_folder  # noqa: F401  (fixtures)
from trt_helpers.scaling import local_ray

if any(importlib.util.find_spec(name) is None for name in ("pyarrow", "ray")):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def ray():
    with local_ray.running(cpus=2):
        import ray

        yield ray
