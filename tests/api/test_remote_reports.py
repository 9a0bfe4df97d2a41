"""Commands about reports, comparisons and models print and write with a service what they do on this machine."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from fersearch import api
from fersearch.api.connecting import _connected
from fersearch.cli import run
from fersearch.errors import FersearchError, StudyFileError
from fersearch.report import gathering
from fersearch.report.inputs import Absent
from fersearch.report.plots import style
from fersearch.service import jobs
from fersearch.service.app import create_app
from fersearch.service.context import Service
from fersearch.service.problems import ProblemError
from fersearch.service.security import Gate
from fersearch.service.statuses import status_of
from fersearch.service.verbs import VERBS
from tests.service.conftest import HOST, gate, roots, service  # noqa: F401 - fixtures

Shell = Callable[..., str]


async def in_this_process(verb: str, _storage: str | None, **arguments: object) -> object:
    """Do what a child of the service would."""
    try:
        return json.loads(json.dumps(VERBS[verb](**arguments)))
    except FersearchError as error:
        mistakes = tuple(error.mistakes) if isinstance(error, StudyFileError) else ()
        raise ProblemError(status_of(error), error.message, error.hint, mistakes) from None


class ServiceHere(TestClient):
    """A client of a service of this process, whose own verbs work on this machine while it answers."""

    def send(self, *arguments: Any, **options: Any) -> Any:
        """Send a request and return the answer."""
        connections = list(_connected)
        _connected.clear()
        try:
            return super().send(*arguments, **options)
        finally:
            _connected[:] = connections


@pytest.fixture
def shell(
    service: Service,  # noqa: F811
    gate: Gate,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Shell]:
    """Type a command with a service of this process or without one, and return what it prints."""
    app = create_app(service, gate)

    def client(base_url: str, headers: dict[str, str], timeout: object) -> TestClient:
        return ServiceHere(app, base_url=base_url, headers=headers, raise_server_exceptions=False)

    monkeypatch.setattr(jobs, "run", in_this_process)
    monkeypatch.setattr(httpx, "Client", client)
    monkeypatch.setenv("FERSEARCH_TOKEN", gate.start_token)

    def typed(*args: str, here: bool = False, code: int = 0) -> str:
        api.disconnect()
        ended = run([*([] if here else ["--server", HOST]), *args])
        api.disconnect()
        printed = capsys.readouterr()
        assert ended == code, printed.err
        return printed.err if code else printed.out

    yield typed
    api.disconnect()


@pytest.mark.parametrize(
    "args",
    [
        ["study", "compare", "small", "--metric", "f1_macro"],
        ["study", "compare", "small", "--json"],
        ["study", "compare", "small", "--factor", "optimizer"],
        ["study", "export", "small"],
        ["study", "export", "small", "--format", "json"],
    ],
)
def test_a_command_prints_there_what_it_prints_here(shell: Shell, args: list[str]):
    assert shell(*args) == shell(*args, here=True)


@pytest.mark.parametrize(
    "args",
    [
        ["study", "compare", "nobody"],
        ["study", "compare", "small", "--metric", "f1_makro"],
        ["study", "compare", "small", "--by", "luck"],
        ["study", "compare", "small", "--factor", "colour"],
        ["study", "export", "small", "--format", "xml"],
        ["study", "report", "smal", "-o", "report"],
        ["study", "report", "small", "-o", "report", "--trials", "0"],
    ],
)
def test_a_command_fails_there_as_it_fails_here(
    shell: Shell, args: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    assert shell(*args, code=2) == shell(*args, here=True, code=2)


@pytest.fixture
def without_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let reports judge no model and draw nothing, which takes seconds and is tested elsewhere."""
    absent = Absent("It is left out.")
    monkeypatch.setattr(gathering, "_evidence", lambda *_: (absent, absent))
    monkeypatch.setattr(gathering, "_importance", lambda *_: absent)
    monkeypatch.setattr(style, "render", lambda _: ('<svg viewBox="0 0 1 1"></svg>', b"png"))


@pytest.mark.usefixtures("without_models")
def test_a_report_is_written_here_with_the_files_of_one_made_here(shell: Shell, tmp_path: Path):
    theirs, own = tmp_path / "theirs", tmp_path / "own"
    line = shell("study", "report", "small", "-o", str(theirs), "--trials", "2")
    assert line.replace("theirs", "own") == shell(
        "study", "report", "small", "-o", str(own), "--trials", "2", here=True
    )
    files = [sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) for folder in (theirs, own)]
    assert files[0] == files[1]
    assert "exists" in shell("study", "report", "small", "-o", str(theirs), code=2)
    shell("study", "compare", "small", "-o", str(theirs), "--force")
    assert "comparison" in (theirs / "index.html").read_text().lower()


def test_a_study_goes_into_an_optuna_storage_of_this_machine(shell: Shell, tmp_path: Path):
    urls = [f"sqlite:///{tmp_path}/{name}.db" for name in ("theirs", "own")]
    lines = [
        shell("study", "export", "small", "--to", "optuna", url, here=here)
        for url, here in zip(urls, (False, True), strict=True)
    ]
    assert lines[0].replace("theirs", "own") == lines[1]


@pytest.mark.slow
def test_a_checkpoint_is_exported_remotely_and_stored_locally(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    shell("checkpoint", "pull", "small", "--trial", "0", "-o", "pulled", "--format", "onnx")
    folder = tmp_path / "pulled"
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "card.json",
        "model.onnx",
        "model.safetensors",
    ]
    described = json.loads((folder / "card.json").read_text())
    assert hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest() == described["onnx"]["digest"]
    exported = json.loads(shell("checkpoint", "export", "pulled", "-o", "apart", "--json"))
    assert exported["digest"] == described["onnx"]["digest"]
    assert sorted(path.name for path in (tmp_path / "apart").iterdir()) == ["README.md", "card.json", "model.onnx"]
    assert "without --quantize" in shell("checkpoint", "export", "pulled", "--quantize", "int8", code=2)
    assert "exists" in shell("checkpoint", "export", "pulled", "-o", "apart", code=2)
    assert "unknown format" in shell("checkpoint", "pull", "small", "--format", "tflite", code=2)
