"""What is written of studies, over HTTP: pages, archives, comparisons, trials as text; read by whoever may look."""

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from fersearch import api
from fersearch.api import records
from fersearch.errors import UnknownName
from fersearch.report.folder import Written
from fersearch.service import jobs
from fersearch.service.app import PREFIX
from fersearch.service.problems import ProblemError
from fersearch.service.statuses import status_of
from fersearch.service.verbs import VERBS
from tests.service.conftest import token_of

STUDIES = f"{PREFIX}/studies"


@pytest.fixture
def reader(anonymous: TestClient, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """A client that may look, of a service whose children work in this process."""

    async def here(verb: str, _storage: str | None, **arguments: object) -> object:
        try:
            return json.loads(json.dumps(VERBS[verb](**arguments)))
        except UnknownName as error:
            raise ProblemError(status_of(error), error.message, error.hint) from None

    monkeypatch.setattr(jobs, "run", here)
    anonymous.headers.update(token_of("reader", "read"))
    return anonymous


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """The calls of `write_report`, which writes a page with one plot and one table."""
    calls: list[tuple[object, ...]] = []

    def write(name: str, out: Path, *, trials: int) -> Written:
        calls.append((name, trials))
        for path, text in (("index.html", "<p>page"), ("plots/front.svg", "<svg>"), ("tables/trials.csv", "a,b")):
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            (out / path).write_text(text)
        return Written(out, out / "index.html", ("front",), ("trials",))

    monkeypatch.setattr(api, "write_report", write)
    return calls


def names(content: bytes) -> Sequence[str]:
    return zipfile.ZipFile(io.BytesIO(content)).namelist()


def test_a_report_comes_as_a_page_or_as_a_folder(reader: TestClient, drawn: list[tuple[object, ...]]):
    page = reader.get(f"{STUDIES}/small/report", params={"trials": 2})
    assert (page.text, page.headers["content-type"]) == ("<p>page", "text/html; charset=utf-8")
    archive = reader.get(f"{STUDIES}/small/report.zip")
    assert archive.headers["content-type"] == "application/zip"
    assert names(archive.content) == ["index.html", "plots/front.svg", "tables/trials.csv"]
    assert drawn == [("small", 2), ("small", 5)]


def test_a_comparison_is_the_record_of_the_command_line_and_on_demand_what_people_read(reader: TestClient):
    own = api.compare_studies(["small"], metrics=["accuracy"])
    record = records.plain(records.Comparison.of(own.result, None))
    query = {"study": "small", "metric": "accuracy"}
    answer = reader.get(f"{PREFIX}/comparison", params=query)
    assert answer.json() == record
    assert answer.headers["etag"].startswith('W/"')
    shown = reader.get(f"{PREFIX}/comparison", params={**query, "shown": True}).json()["shown"]
    assert shown[0]["titles"] == list(own.shown()[0].titles)  # type: ignore[union-attr]
    assert len(shown) == len(own.shown())
    sweep = reader.get(f"{STUDIES}/small/sweep", params={"factor": "optimizer"}).json()
    assert sweep == records.plain(records.Sweep.of(api.sweep_study("small", "optimizer").result, None))


def test_what_is_compared_comes_as_a_folder(reader: TestClient):
    content = reader.get(f"{PREFIX}/comparison.zip", params={"study": "small", "trial": "small=0"}).content
    assert names(content)[0] == "index.html"
    content = reader.get(f"{STUDIES}/small/sweep.zip", params={"factor": "optimizer"}).content
    assert any(name.startswith("tables/") for name in names(content))


@pytest.mark.parametrize("format", ["csv", "json"])
def test_trials_come_as_text(reader: TestClient, format: str):
    answer = reader.get(f"{STUDIES}/small/export", params={"format": format})
    assert answer.text == api.export_study("small", format)
    assert answer.headers["content-type"].partition(";")[0] in ("text/csv", "application/json")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{STUDIES}/nobody/report.zip", 404),
        (f"{STUDIES}/nobody/export", 404),
        (f"{STUDIES}/small/export?format=xml", 404),
        (f"{STUDIES}/small/sweep?factor=colour", 404),
        (f"{STUDIES}/small/sweep", 422),
        (f"{PREFIX}/comparison", 422),
        (f"{PREFIX}/comparison?study=nobody", 404),
    ],
)
def test_what_is_not_there_is_a_problem(reader: TestClient, path: str, status: int):
    answer = reader.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_every_file_is_described(anonymous: TestClient):
    paths = anonymous.app.openapi()["paths"]  # type: ignore[attr-defined]
    for path, kind in (("studies/{name}/report.zip", "application/zip"), ("comparison.zip", "application/zip")):
        responses = paths[f"{PREFIX}/{path}"]["get"]["responses"]
        assert list(responses["200"]["content"]) == [kind]
        assert set(responses) >= {"401", "404", "422"}
    assert list(paths[f"{PREFIX}/studies/{{name}}/export"]["get"]["responses"]["200"]["content"]) == [
        "text/csv",
        "application/json",
    ]
