"""States at a URL: another node goes on from them, and at every moment they belong together."""

from pathlib import Path

import pytest

from fersearch.errors import FersearchError
from fersearch.remote import Remote
from fersearch.training.snapshots import Mirror


@pytest.fixture
def url(tmp_path: Path) -> str:
    return (tmp_path / "shared").as_uri()


def keep(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", "-", 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        (new := path.with_name("new")).write_text(text)
        new.replace(path.with_suffix(".json" if path.name == "done" else ".pt"))


def held(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_another_node_gets_what_was_pushed_last(url: str, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    mirror = Mirror(url, here)
    mirror.fetch()
    keep(here, last="1", best_1="a")
    mirror.push()
    keep(here, last="2", best_2="b")
    (here / "best-1.pt").unlink()
    (here / "checkpoint.safetensors").write_text("no state")
    mirror.push()
    keep(there, last="old", best_9="old")
    Mirror(url, there).fetch()
    assert held(there) == {"last.pt": "2", "best-2.pt": "b"}


def test_the_folders_of_rounds_come_along(url: str, tmp_path: Path) -> None:
    keep(tmp_path / "here", round_1__done="{}", round_2__last="2")
    Mirror(url, tmp_path / "here").push()
    Mirror(url, tmp_path / "there").fetch()
    assert held(tmp_path / "there") == {"round-1/done.json": "{}", "round-2/last.pt": "2"}


def test_what_did_not_change_is_not_pushed_again(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = Mirror(url, tmp_path / "here")
    keep(tmp_path / "here", last="1", best_1="a")
    mirror.push()
    put: list[str] = []
    monkeypatch.setattr(Remote, "put", lambda _, file, name: put.append(name))
    keep(tmp_path / "here", last="2")
    mirror.push()
    assert put == ["last.pt"]


@pytest.mark.parametrize("calls", range(4))
def test_wherever_pushing_breaks_off_the_last_state_finds_its_best_weights(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    mirror = Mirror(url, tmp_path / "here")
    keep(tmp_path / "here", last="best-1", best_1="a")
    mirror.push()
    keep(tmp_path / "here", last="best-2", best_2="b")
    (tmp_path / "here" / "best-1.pt").unlink()
    left = [calls]
    for name in ("put", "remove"):
        real = getattr(Remote, name)

        def counted(*arguments: object, real=real) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise FersearchError("the network is gone")
            real(*arguments)

        monkeypatch.setattr(Remote, name, counted)
    mirror.push()
    assert mirror.trouble == ("the state is on this node alone: the network is gone" if calls < 3 else "")
    monkeypatch.undo()
    Mirror(url, tmp_path / "there").fetch()
    result = held(tmp_path / "there")
    assert f"{result['last.pt']}.pt" in result
    mirror.push()
    assert sorted(Remote(url).files()) == ["best-2.pt", "last.pt"]
    assert mirror.trouble == ""


def test_without_a_url_nothing_happens(tmp_path: Path) -> None:
    keep(tmp_path / "here", last="1")
    mirror = Mirror("", tmp_path / "here")
    mirror.fetch()
    mirror.push()
    assert held(tmp_path / "here") == {"last.pt": "1"}
