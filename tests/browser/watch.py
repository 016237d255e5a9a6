"""Notes what goes wrong in a page while it is used."""

from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page, Request, Response

LOCAL = "127.0.0.1"
CANCELLED = "net::ERR_ABORTED"  # by the page itself, which no longer wants it
NO_NETWORK = ("file", "data", "blob", "about")


class Watch:
    """Collects errors on the console and in scripts, requests that fail, and requests to another host."""

    def __init__(self, page: Page) -> None:
        """Begin to watch."""
        self.errors: list[str] = []
        self.failed: list[str] = []
        self.foreign: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._request)
        page.on("requestfailed", self._failed)
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in NO_NETWORK and parts.hostname != LOCAL:
            self.foreign.append(request.url)

    def _failed(self, request: Request) -> None:
        if request.failure != CANCELLED:
            self.failed.append(f"{request.failure} {request.url}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.failed.append(f"{response.status} {response.url}")

    def complaints(self) -> list[str]:
        """Return all that went wrong so far."""
        return [*self.errors, *self.failed, *self.foreign]
