"""The log of each contract test."""

import pytest

from tests.contract.support import KEPT
from trt_helpers import logger
from trt_helpers.streams import synchronize_all


class Lines:
    """What was logged since the test began, or since ``forget``, by any thread."""

    def texts(self, severities: str) -> list[str]:
        return [m.text for m in tuple(logger.messages) if m.severity in severities]

    @property
    def errors(self) -> list[str]:
        return self.texts("FE")

    @property
    def warnings(self) -> list[str]:
        return self.texts("W")

    def forget(self) -> None:
        logger.clear()

    def refused(self, *fragments: str) -> None:
        """Exactly one error since the last look, with all of these fragments in it."""
        assert len(self.errors) == 1, self.errors
        missing = [f for f in fragments if f not in self.errors[0]]
        assert not missing, f"{missing} not in: {self.errors[0]}"
        self.forget()


@pytest.fixture
def log():
    shown, logger.show = logger.show, None
    logger.clear()
    yield Lines()
    logger.show = shown


@pytest.fixture(autouse=True)
def buffers():
    """Buffers that were bound live until the end of the test, and of all work that it enqueued."""
    yield
    synchronize_all()
    KEPT.clear()
