"""A browser that is signed in at a service, with a drawn face in front of its camera."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Any

import playwright.sync_api as playwright

from tests.drawn_face import photograph
from tests.service.served import Served

CHROMIUM = which("chromium") or which("chromium-browser") or which("google-chrome")
FLAGS = ("--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
OBSERVE_SHIFTS = """window.shifts = [];
new PerformanceObserver((list) => list.getEntries().forEach((one) => one.hadRecentInput || shifts.push([one.value,
    ...one.sources.map((source) => source.node?.outerHTML?.slice(0, 150) ?? source.node?.textContent)])))
    .observe({ type: "layout-shift", buffered: true });"""


@contextmanager
def opened(folder: Path) -> Iterator[playwright.Browser]:
    """Yield a browser; its camera shows a film of one face, which lies in a folder."""
    film, frame = folder / "face.mjpeg", io.BytesIO()
    photograph(640, (240, 200), height=480).save(frame, "JPEG")
    film.write_bytes(frame.getvalue() * 10)
    with playwright.sync_playwright() as started:
        flags = [*FLAGS, f"--use-file-for-fake-video-capture={film}"]
        browser = started.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


class Page:
    """A page that is signed in, with the errors that its scripts raised and the shifts of what it shows."""

    def __init__(self, browser: playwright.Browser, served: Served, token: str = "", **options: object) -> None:
        self.context = browser.new_context(permissions=["camera"], accept_downloads=True, **options)  # type: ignore[arg-type]
        self.context.add_init_script(OBSERVE_SHIFTS)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(error.stack or str(error)))
        self.page.goto(f"{served.address}/?token={token or served.token}")
        self.page.wait_for_selector("h1")

    @property
    def sent(self) -> int:
        """The bytes that were sent to show the page, as they came over the wire."""
        sizes = "performance.getEntries().map((one) => one.encodedBodySize ?? 0).reduce((a, b) => a + b)"
        return int(self.page.evaluate(sizes))

    def go(self, view: str) -> None:
        """Show a view of the page."""
        self.page.evaluate(f"location.hash = {view!r}")
        self.page.wait_for_selector("main h1")

    def forget_shifts(self) -> None:
        """Count the shifts of the layout from now on."""
        self.page.evaluate("shifts.length = 0")

    @property
    def shifts(self) -> list[list[Any]]:
        """The shifts that no input caused: how much each moved, and what."""
        result: list[list[Any]] = self.page.evaluate("shifts")
        return result
