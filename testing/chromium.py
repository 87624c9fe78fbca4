"""A real browser for tests: the Chromium of this machine, headless, driven by Playwright.

    with browser_page() as page:
        page.goto(address)

As root on Debian or Ubuntu it is installed with apt-get when it is missing; anywhere else that is an error.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
NO_CHROMIUM = (
    "These tests need Chromium on the PATH (on Debian: apt-get install chromium; root: they do it themselves)."
)


def chromium() -> str:
    """Return the path of the browser; raises AssertionError when there is none and none can be installed."""
    if not any(map(shutil.which, NAMES)) and os.geteuid() == 0 and shutil.which("apt-get"):
        for step in (["update"], ["install", "--yes", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", "--quiet", *step], check=True, capture_output=True)  # noqa: S607 - of the system
    found = next(filter(None, map(shutil.which, NAMES)), None)
    assert found is not None, NO_CHROMIUM
    return found


@contextmanager
def browser_page() -> Iterator[Page]:
    """Start a browser with one page, and end it."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []  # it refuses to be sandboxed as root
        with playwright.chromium.launch(executable_path=chromium(), args=arguments) as browser:
            page = browser.new_context(viewport={"width": 900, "height": 760}).new_page()
            page.set_default_timeout(120_000)
            yield page
