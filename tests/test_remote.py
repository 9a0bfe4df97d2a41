"""Files at a URL: complete or absent, and every error names the URL."""

from pathlib import Path

import pytest

from fersearch.errors import FersearchError, UsageError
from fersearch.remote import Remote, age, is_url


@pytest.fixture(params=["file", "memory"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Remote:
    return Remote((tmp_path / "shared").as_uri() if request.param == "file" else f"memory://{tmp_path.name}/x")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("content")
    return path


def test_what_is_put_is_listed_and_got(remote: Remote, file: Path, tmp_path: Path) -> None:
    assert remote.files() == {}
    remote.put(file, "a/b.pt")
    remote.put(file, "a/b.pt")
    assert {name: each.bytes for name, each in remote.files().items()} == {"a/b.pt": 7}
    assert age(remote.files()["a/b.pt"]) < 3600
    assert remote.get("a/b.pt", tmp_path / "got" / "here")
    assert (tmp_path / "got" / "here").read_text() == "content"


def test_what_is_not_there_is_not_got_and_nothing_stays(remote: Remote, tmp_path: Path) -> None:
    assert not remote.get("none", tmp_path / "got" / "none")
    assert list((tmp_path / "got").iterdir()) == []


def test_removing_twice_is_no_error(remote: Remote, file: Path) -> None:
    for name in ("one", "two", "three"):
        remote.put(file, name)
    remote.remove("one")
    remote.remove("one")
    assert sorted(remote.files()) == ["three", "two"]
    remote.remove_all()
    remote.remove_all()
    assert remote.files() == {}


def test_a_file_that_breaks_off_leaves_nothing(remote: Remote, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError("the network is gone")

    remote.put(file, "whole")
    monkeypatch.setattr(type(remote._fs), "mv", broken)
    with pytest.raises(FersearchError, match="the network is gone") as caught:
        remote.put(file, "half")
    assert remote.url in caught.value.message
    assert sorted(remote.files()) == ["whole"]


def test_a_place_is_checked_by_writing_there(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    remote.check()
    assert remote.files() == {}

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("AccessDenied")

    monkeypatch.setattr(type(remote._fs), "put_file", refuse)
    with pytest.raises(FersearchError, match=r"cannot be written: PermissionError: AccessDenied"):
        remote.check()


def test_a_url_that_nobody_knows_is_a_wrong_argument() -> None:
    with pytest.raises(UsageError, match="nowhere://x is not a location for files"):
        Remote("nowhere://x")


def test_a_place_is_a_url_or_a_path() -> None:
    assert [is_url(place) for place in ("s3://b/c", "file:///x", "/x", Path("x"))] == [True, True, False, False]
