"""A real browser and a served page, for the tests that look at it."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""The first draws pages as the others do, without their own windows, which cost more than our pages."""
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
NO_CHROMIUM = "no chromium: apt-get install chromium-headless-shell, or chromium, to run this test"
DRAWN = {
    "ground speed": "#speed .line[d^=M]",
    "minute by minute": "#windows .line[d^=M]",
    "altitude": "#altitude .line[d^=M]",
    "feed against ephemeris": "#audit tbody tr",
    "passes": "#passes tbody tr",
    "burns": "#burns tbody tr",
    "burn ledger": "#ledger tbody tr",
    "days": "#days tbody tr",
    "ground track": "#map .past[d^=M]",
    "coastline": "#map .land path",
}
"""What each panel has once it has been asked for and drawn."""
LAPTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """An application at an address of its own."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def launched() -> Iterator[Browser]:
    """One browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def log_in(page: Page, url: str, password: str) -> None:
    """Log in to Airflow through its form."""
    page.goto(url)
    page.locator("input[name=username]").fill("admin")
    page.locator("input[name=password]").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{url}/")


def await_panels(page: Page) -> None:
    """Wait until every panel has been asked for and drawn."""
    for selector in DRAWN.values():
        page.locator(selector).first.wait_for(state="attached")
