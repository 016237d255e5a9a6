"""A browser, a JupyterLab and the built site, each started once."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.browser.lab import running_lab
from tests.browser.watch import Watch
from tools import chromium
from tools.notebooks import ROOT

PICTURES = ROOT / "build/browser"
SITE = ROOT / "build/site"
PATIENCE_MS = 60_000  # two busy cores
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium. Playwright's own is never downloaded: its program is named here."""
    # As root, as in a container, Chromium refuses to start with its sandbox.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=options)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A JupyterLab on a copy of the course."""
    with running_lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and prints nothing."""

    def log_message(self, *_: object) -> None:
        """Keep the requests to oneself."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on 127.0.0.1; yield the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def site_folder() -> Path:
    """The site, built now. One module of tests uses it: two that run side by side would build into one folder."""
    done = subprocess.run([sys.executable, "-m", "tools.site"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return SITE


@pytest.fixture(scope="module")
def site(site_folder):
    """The address at which the built site is served."""
    with served(site_folder) as address:
        yield address


@pytest.fixture
def small_site(tmp_path):
    """The address of a site with one good page."""
    (tmp_path / "index.html").write_text("<link rel=icon href=data:,><article><h1>Title</h1></article>")
    with served(tmp_path) as address:
        yield address


@pytest.fixture
def open_page(browser):
    """Open pages, each with a window of its own; whatever goes wrong in it can be asked of its `watch`."""
    windows = []

    def open_page(**options) -> tuple[Page, Watch]:
        options = {"viewport": {"width": 1280, "height": 900}, **options}
        windows.append(browser.new_context(**options))
        page = windows[-1].new_page()
        page.set_default_timeout(PATIENCE_MS)
        return page, Watch(page)

    yield open_page
    for window in windows:
        window.close()


@pytest.fixture(scope="session")
def picture():
    """Keep a screenshot in build/browser."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    return lambda page, name, **options: page.screenshot(path=PICTURES / f"{name}.png", **options)
