"""The page as people use it: in a browser, from the link of the start to a face in front of a camera."""

import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fersearch.service.page import DIST
from fersearch.service.web.build import build
from tests.drawn_face import photograph
from tests.service.served import Served, kill_all

pytest.importorskip("playwright.sync_api")

from playwright.sync_api import Browser

from tests.service.browser import CHROMIUM, Page, opened

WIDER = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
    [...document.querySelectorAll("main *")].filter((one) => !one.closest(".scroll"))
    .filter((one) => one.getBoundingClientRect().right > innerWidth)
    .map((one) => one.outerHTML.slice(0, 100)).slice(0, 5)"""
TRANSFER = 150_000
"""Bytes of the first view at most, as they are sent."""

STEADY = 0.01
"""Shifts of the layout at most, while events arrive, as browsers count them; 0.1 is taken for good."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here"),
    pytest.mark.skipif(bool(build()), reason="the page is not built and npm is not at hand"),
]


@pytest.fixture(scope="module")
def served(small_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service on a copy of the home that has the finished study `small`."""
    home = shutil.copytree(small_home, tmp_path_factory.mktemp("page") / "home")
    yield Served(home)
    kill_all(home)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with opened(tmp_path_factory.mktemp("camera")) as browser:
        yield browser


def test_a_study_from_the_form_to_the_face(browser: Browser, served: Served, tmp_path: Path):
    one = Page(browser, served)
    page = one.page
    assert "token" not in page.url
    assert one.sent < TRANSFER
    page.get_by_role("link", name="New study").click()
    page.locator("input[name=name]").fill("formed")
    page.locator("input[name=trials]").fill("0")
    page.get_by_role("button", name="Create and run").click()
    page.get_by_role("alert").get_by_text("trials: 0 is not above 0").wait_for()
    page.locator("input[name=trials]").fill("8")
    page.locator("input[name=epochs]").fill("2")
    page.get_by_text("More options").click()
    page.locator("input[name=limit]").fill("200")
    page.locator("input[name=where]").fill("parameters<=9e7, model_mb<=900")
    page.locator("textarea").fill("batch_size = 32\nconvolutions = 1")
    page.get_by_role("button", name="Create and run").click()
    page.get_by_role("heading", name="formed").wait_for()
    page.get_by_role("heading", name="Pick a model").wait_for()
    one.forget_shifts()
    page.locator(".live canvas").wait_for(timeout=60_000)
    page.get_by_text("by Pareto fronts; the best").first.wait_for(timeout=120_000)
    page.locator("h1 .badge.complete").wait_for(timeout=180_000)
    assert sum(float(size) for size, *_ in one.shifts) < STEADY, one.shifts
    page.get_by_text("parameters<=9e+07, model_mb<=900").wait_for()

    begun = {"schema": 1, "study": "formed", "trained": "finish/formed", "finish": None}
    page.route("**/api/v1/studies/formed/finish", lambda route: route.fulfill(json=begun))
    page.get_by_text("95 % interval").wait_for()
    page.get_by_text("Finish the study").click()
    page.locator("input[name=seeds]").fill("2")
    page.locator("input[name=unseen]").fill("kdef, ckplus=/data/ck")
    with page.expect_request("**/formed/finish") as finishing:
        page.get_by_role("button", name="Finish", exact=True).click()
    sent = {"seeds": 2, "unseen": ["kdef", "ckplus=/data/ck"]}
    assert (finishing.value.method, finishing.value.post_data_json) == ("POST", sent)
    page.wait_for_url("**/#/study/finish%2Fformed")
    one.go("#/study/formed")

    page.locator("section", has_text="Stopped early").get_by_role("link").first.click()
    page.get_by_role("heading", name="Why it stopped").wait_for()
    page.get_by_text(re.compile("its values there: .* that had reached it")).wait_for()
    page.get_by_text("Ahead of it at epoch").click()
    page.get_by_role("region", name="Trials ahead of it").wait_for()
    one.go("#/study/formed")

    page.get_by_text("Try a configuration").click()
    page.locator("input[name=learning_rate]").fill("0.0123")
    page.get_by_role("button", name="Enqueue").click()
    page.get_by_text("it waits until the budget of 8 trials is extended").wait_for()
    page.get_by_text("Extend the study").click()
    page.locator("input[name=trials]").fill("9")
    page.get_by_role("button", name="Extend", exact=True).click()
    page.get_by_text("trials changed from 8 to 9").wait_for(timeout=60_000)

    page.locator("circle.front").first.focus()
    page.locator(".selection h3").wait_for()
    slider = page.locator(".sliders input:enabled").first
    slider.fill("0")
    command = page.locator(".command code").first.inner_text()
    assert command.startswith("fersearch checkpoint pull formed --trial ")
    with page.expect_download(timeout=90_000) as waiting:
        page.get_by_role("link", name="Download ONNX").click()
    model = tmp_path / "model.onnx"
    waiting.value.save_as(model)
    assert np.allclose(answers(model).sum(axis=1), 1, atol=1e-5)

    page.get_by_role("link", name="Try it on a face").click()
    photo = io.BytesIO()
    photograph(500, (40, 180), (280, 150)).save(photo, "PNG")
    page.locator("input[type=file]").set_input_files(
        [{"name": "two.png", "mimeType": "image/png", "buffer": photo.getvalue()}]
    )
    page.locator(".answer .shares").nth(1).wait_for(timeout=60_000)
    assert page.locator(".answer svg rect").count() == 2

    page.get_by_role("button", name="Start camera").click()
    page.locator(".rate").get_by_text(re.compile(r"[1-9]\d*\.\d frames per second")).wait_for(timeout=30_000)
    camera = page.locator("section", has=page.locator("video"))
    camera.locator(".shares").wait_for(timeout=30_000)
    assert camera.locator(".boxed svg rect").count() == 1
    page.get_by_role("button", name="Stop camera").click()
    assert one.errors == []


def test_one_study_over_several_architectures_is_offered_in_the_form(browser: Browser, served: Served):
    one = Page(browser, served)
    one.go("#/new")
    page = one.page
    page.locator("input[name=one_study]").check()
    assert page.locator("select[name=model]").evaluate("(box) => box.selectedOptions.length") == 1
    page.locator("select[name=model]").select_option(["cnn", "sanet"])
    page.get_by_text("2 selected; their own parameters are named ARCHITECTURE.NAME").wait_for()
    page.locator("input[name=trials]").fill("0")
    page.get_by_text("More options").click()
    page.locator("textarea").fill("cnn.width = 1, 2")
    with page.expect_request("**/api/v1/studies") as waiting:
        page.get_by_role("button", name="Create and run").click()
    body = waiting.value.post_data_json
    assert (body["model"], body["one_study"]) == (["cnn", "sanet"], True)
    assert body["space"] == {"cnn.width": "1, 2"}
    page.get_by_role("alert").get_by_text("trials: 0 is not above 0").wait_for()
    page.locator("input[name=one_study]").uncheck()
    assert page.locator("select[name=model]").input_value() == "cnn"
    assert one.errors == []


def answers(model: Path) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model))
    (entry,) = session.get_inputs()
    images = np.random.default_rng(0).integers(0, 255, (3, *entry.shape[1:]), np.uint8)
    result: np.ndarray = session.run(None, {entry.name: images})[0]
    return result


def test_two_studies_are_compared_in_one_plot(browser: Browser, served: Served):
    one = Page(browser, served)
    one.go("#/compare/small")
    page = one.page
    page.locator(".chips").get_by_role("link", name="formed").click()
    for name in ("small", "formed"):
        page.locator("svg").get_by_role("link", name=re.compile(f"^{name} trial")).first.wait_for()
        page.get_by_role("row", name=re.compile(name)).wait_for()
    colours = [page.locator(f"a[aria-label^='{name} '] circle").first for name in ("small", "formed")]
    assert len({one.evaluate("(circle) => getComputedStyle(circle).fill") for one in colours}) == 2
    assert one.errors == []


def test_ranges_are_set_by_keys_and_by_dragging(browser: Browser, served: Served):
    one = Page(browser, served)
    one.go("#/study/small")
    page = one.page
    handle = page.locator(".parallel .handle").last
    handle.focus()
    for _ in range(10):
        page.keyboard.press("ArrowDown")
    chosen = page.locator(".parallel figcaption")
    chosen.get_by_text(re.compile("^[123] of 4 complete trials selected")).wait_for()
    within = int(chosen.inner_text()[0])
    rows = page.get_by_role("region", name="Trials").locator("tbody tr")
    assert rows.count() == within
    page.keyboard.press("Escape")
    chosen.get_by_text("4 of 4 complete trials selected").wait_for()
    box = handle.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 5, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 5, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    chosen.get_by_text(re.compile("^[123] of 4 complete trials selected")).wait_for()
    page.get_by_role("button", name="Clear ranges").click()
    assert rows.count() == 4
    assert one.errors == []


def test_a_class_sees_everything_and_can_change_nothing(browser: Browser, served: Served):
    token = served.client.post("/api/v1/tokens", json={"name": "class", "role": "read"}).json()["token"]
    one = Page(browser, served, token)
    page = one.page
    page.get_by_text("class (read)").wait_for()
    assert page.get_by_role("link", name="New study").count() == 0
    one.go("#/study/small")
    page.get_by_role("heading", name="Pick a model").wait_for()
    for name in ("Delete", "Run", "Finish", "Enqueue", "Extend"):
        assert page.get_by_role("button", name=name, exact=True).count() == 0, name
    one.go("#/trial/small/0")
    page.get_by_text("Log of the last attempt").click()
    page.get_by_label("Log", exact=True).wait_for()
    assert one.errors == []


def test_a_slot_tells_what_uses_it(browser: Browser, served: Served):
    one = Page(browser, served)
    rerun = {"study": "small", "trial": 3, "owner": "ada", "slot": 1}
    one.page.route("**/api/v1/queue", lambda route: route.fulfill(json={"slots": 2, "queue": [], "reruns": [rerun]}))
    one.page.reload()
    slots = one.page.get_by_role("region", name="Slots").get_by_role("listitem")
    slots.nth(1).get_by_text("rerun of small 3").wait_for()
    assert slots.all_inner_texts() == ["slot 0 free", "slot 1 rerun of small 3"]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_every_view_is_accessible(browser: Browser, served: Served, scheme: str, width: int):
    from axe_playwright_python.sync_playwright import Axe

    one = Page(browser, served, color_scheme=scheme, viewport={"width": width, "height": 800})
    for view in ("#/", "#/study/formed", "#/trial/formed/0", "#/new", "#/face", "#/compare/formed"):
        one.go(view)
        one.page.wait_for_timeout(600)
        result = Axe().run(one.page)
        assert result.violations_count == 0, f"{view}: {result.generate_report()}"
        wide = one.page.evaluate(WIDER)
        assert wide == [], f"{view} is wider than the screen"
    assert one.errors == []


def test_it_goes_on_after_the_service_was_restarted(browser: Browser, served: Served):
    one = Page(browser, served)
    one.page.get_by_text("live", exact=True).wait_for()
    port = served.address.rpartition(":")[2]
    served.kill(15)
    one.page.get_by_text("disconnected").wait_for(timeout=15_000)
    again = Served(served.log.parent, port=port)
    one.page.locator(".connection.live").wait_for(timeout=30_000)
    one.go("#/compare/")
    assert one.page.get_by_text("formed").count() > 0
    again.kill(15)


def test_the_page_is_a_few_files_that_browsers_cache(served: Served):
    names = sorted(path.suffix for path in DIST.iterdir())
    assert set(names) >= {".css", ".html", ".js"}
