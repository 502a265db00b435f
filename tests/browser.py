"""A headless Chromium that reports what a page does wrong."""

import os
import shutil
from contextlib import contextmanager

import pytest

# What Snakemake's own report says, on whatever it shows.
KNOWN = ("cdn.tailwindcss.com should not be used", "The input spec uses Vega-Lite v3")


def chromium():
    """Return the path of Chromium (or what CHROMIUM names), or skip."""
    found = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if found is None:
        pytest.skip("no Chromium on the PATH; set CHROMIUM to one")
    return found


@contextmanager
def opened(path, width=1500, height=950, beside=None):
    """Open a file in Chromium; on leaving, no error was logged and nothing was fetched.

    Args:
        path: the file.
        width: of the window, in pixels.
        height: of the window, in pixels.
        beside: a folder from which the file may fetch what it needs.

    Yields:
        The page of playwright.
    """
    playwright = pytest.importorskip("playwright.sync_api")
    faults = []
    with playwright.sync_playwright() as driver:
        # No sandbox: it cannot be had by root, as in a container.
        browser = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = browser.new_context(offline=True).new_page()
        page.set_viewport_size({"width": width, "height": height})
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("console", lambda message: _note(message, faults))
        page.on("request", lambda request: _fetched(request, beside or path, faults))
        page.goto(path.resolve().as_uri(), wait_until="load")
        yield page
        browser.close()
    assert not faults, "\n".join(faults)


def _note(message, faults):
    if message.type in ("error", "warning") and not message.text.startswith(KNOWN):
        faults.append(f"{message.type}: {message.text}")


def _fetched(request, allowed, faults):
    if not request.url.startswith(("data:", "blob:", allowed.resolve().as_uri())):
        faults.append(f"fetched: {request.url}")


def barriers(page):
    """List what axe-core finds on a page that keeps people out, seriously or critically."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:200]}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
