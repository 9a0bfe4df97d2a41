"""What the page costs in a browser: its first views of 2,000 trials, shifts while a study runs, frames of the camera.

python -m tests.benchmarks.page [--trials 2000] [--runs 5]
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from tests.benchmarks.commands import fill
from tests.benchmarks.service import STUDY
from tests.service.browser import Page, opened
from tests.service.served import Served, kill_all, wait_for

VIEWS = (("#/", ".slots"), ("#/study/noop", ".parallel svg"))
"""Views, and what is drawn last in each."""
SIZES = ({"width": 1280, "height": 800}, {"width": 390, "height": 800})


def first_view(browser: Browser, served: Served, view: str, drawn: str) -> tuple[float, int]:
    """Return the milliseconds until a view is drawn in a browser that has nothing of it, and the bytes sent for it."""
    one = Page(browser, served)
    state = one.context.storage_state()
    one.context.close()
    context = browser.new_context(storage_state=state)
    page = context.new_page()
    page.goto(f"{served.address}/{view}", wait_until="commit")
    page.wait_for_selector(drawn)
    shown, sent = page.evaluate(
        "[performance.now(), performance.getEntries().reduce((sum, one) => sum + (one.encodedBodySize ?? 0), 0)]"
    )
    context.close()
    return shown, sent


def shifts(browser: Browser, served: Served) -> None:
    """Print how much the list of studies and the view of one shift while it runs, from its start to its end."""
    for number, size in enumerate(SIZES):
        name = f"shown{number}"
        body = {**STUDY, "name": name, "trials": 8, "run": False}
        served.client.post("/api/v1/studies", json=body).raise_for_status()
        pages = {view: Page(browser, served, viewport=size) for view in ("#/", f"#/study/{name}")}
        for view, one in pages.items():
            one.go(view)
            one.page.wait_for_timeout(1000)
            one.forget_shifts()
        served.client.post(f"/api/v1/studies/{name}/resume", json={}).raise_for_status()
        wait_for(lambda name=name: served.get(f"/studies/{name}").json()["state"] == "complete")
        for view, one in pages.items():
            one.page.wait_for_timeout(6000)
            moved = sum(float(size) for size, *_ in one.shifts)
            print(f"{view}, {size['width']} wide: {len(one.shifts)} shifts, {moved:.4f} in all", flush=True)
            for what in sorted(one.shifts, key=lambda shift: -shift[0])[:3]:
                print(f"  {what}"[:300])
            one.context.close()


def camera(browser: Browser, served: Served) -> None:
    """Print how many frames a second are answered, of a face in front of the camera."""
    one = Page(browser, served)
    one.go("#/face/shown0/0")
    one.page.get_by_role("button", name="Start camera").click()
    one.page.locator("section", has=one.page.locator("video")).locator(".shares").wait_for(timeout=60_000)
    rates = []
    for _ in range(10):
        one.page.wait_for_timeout(1000)
        rates.append(float(one.page.locator(".rate").inner_text().split()[0]))
    print(f"camera: {statistics.median(rates[2:]):.1f} frames a second", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=5)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        fill(f"sqlite:///{home}/fersearch.db", chosen.trials)
        served = Served(home)
        try:
            with opened(Path(folder)) as browser:
                for view, drawn in VIEWS:
                    times, sizes = zip(
                        *(first_view(browser, served, view, drawn) for _ in range(chosen.runs)), strict=True
                    )
                    print(f"{view}: {statistics.median(times):.0f} ms, {sizes[-1] / 1000:.0f} kB", flush=True)
                shifts(browser, served)
                camera(browser, served)
        finally:
            served.kill(15)
            kill_all(home)


if __name__ == "__main__":
    main()
