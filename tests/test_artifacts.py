"""What is opened is what was put."""

import errno
import hashlib
import os
import shutil
from pathlib import Path

import pytest

from fersearch.artifacts import Artifacts
from fersearch.errors import FersearchError
from fersearch.owners import Owner
from fersearch.remote import Remote


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights"
    path.write_bytes(b"weights" * 1000)
    return path


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(tmp_path / "artifacts")


@pytest.fixture(params=["file", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A place for artifacts that is no folder of this machine, and a home for copies of what is opened."""
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "home"))
    return (tmp_path / "shared").as_uri() if request.param == "file" else f"memory://{tmp_path.name}"


def test_put_returns_the_sha256_and_open_the_same_content(artifacts: Artifacts, weights: Path) -> None:
    digest = artifacts.put(weights)
    assert digest == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert artifacts.open(digest).read_bytes() == weights.read_bytes()


def test_the_same_content_is_stored_once(artifacts: Artifacts, weights: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copyfile(weights, copy)
    assert artifacts.put(weights) == artifacts.put(copy)
    assert len(os.listdir(artifacts.root)) == 1


@pytest.mark.parametrize("place", ["folder", "url"])
def test_a_file_is_marked_by_each_study_that_puts_it(artifacts: Artifacts, weights: Path, url: str, place: str) -> None:
    files = artifacts if place == "folder" else Artifacts(url)
    one, other = Owner("a" * 32, "1" * 32), Owner("b" * 32, "2" * 32)
    digest = files.put(weights, one)
    assert files.owners() == {digest: {one}}
    assert files.put(weights, other) == digest
    assert files.owners() == {digest: {one, other}}
    files.disown(digest, one)
    files.disown(digest, one)
    assert files.owners_of(digest) == {other}
    assert files.owners_of("0" * 64) == set()
    assert set(files.digests()) == {digest}
    files.remove(digest)
    files.remove(digest)
    assert (files.owners(), files.digests()) == ({}, {})


def test_a_missing_artifact_is_named(artifacts: Artifacts) -> None:
    with pytest.raises(FersearchError, match=r"artifact 0{64} is missing"):
        artifacts.open("0" * 64)


def test_a_corrupt_artifact_is_named_and_put_heals_it(artifacts: Artifacts, weights: Path) -> None:
    digest = artifacts.put(weights)
    (artifacts.root / digest).write_bytes(b"rot")
    with pytest.raises(FersearchError, match=f"artifact {digest} is corrupt"):
        artifacts.open(digest)
    assert artifacts.put(weights) == digest
    assert artifacts.open(digest).read_bytes() == weights.read_bytes()


@pytest.mark.parametrize("digest", ["../secret", "", "A" * 64, "0" * 63])
def test_what_is_no_digest_never_becomes_a_path(artifacts: Artifacts, digest: str) -> None:
    for use in (artifacts.open, artifacts.remove):
        with pytest.raises(FersearchError, match="is not a digest"):
            use(digest)


def test_a_removed_artifact_is_gone_and_may_be_removed_again(artifacts: Artifacts, weights: Path) -> None:
    digest = artifacts.put(weights)
    artifacts.remove(digest)
    artifacts.remove(digest)
    with pytest.raises(FersearchError, match="missing"):
        artifacts.open(digest)


def test_a_full_disk_leaves_no_half_artifact(
    artifacts: Artifacts, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", half)
    with pytest.raises(OSError, match="No space left"):
        artifacts.put(weights)
    assert os.listdir(artifacts.root) == []


def test_at_a_url_what_is_opened_is_what_was_put(url: str, weights: Path) -> None:
    digest = Artifacts(url).put(weights)
    assert digest == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert Artifacts(url).open(digest).read_bytes() == weights.read_bytes()
    assert {name: stored.bytes for name, stored in Artifacts(url).digests().items()} == {digest: weights.stat().st_size}
    assert Artifacts(url).unfinished() == {}


def test_a_copy_that_rotted_here_is_fetched_again(url: str, weights: Path) -> None:
    artifacts = Artifacts(url)
    digest = artifacts.put(weights)
    artifacts.open(digest).write_bytes(b"rot")
    assert artifacts.open(digest).read_bytes() == weights.read_bytes()


def test_what_rotted_at_a_url_is_named_and_put_heals_it(url: str, weights: Path, tmp_path: Path) -> None:
    digest = Artifacts(url).put(weights)
    (tmp_path / "rot").write_bytes(b"rot")
    Remote(url).put(tmp_path / "rot", digest)
    with pytest.raises(FersearchError, match=f"artifact {digest} is corrupt"):
        Artifacts(url).open(digest)
    Artifacts(url).put(weights)
    assert Artifacts(url).open(digest).read_bytes() == weights.read_bytes()


def test_what_is_missing_or_removed_at_a_url_is_named_with_it(url: str, weights: Path) -> None:
    digest = Artifacts(url).put(weights)
    Artifacts(url).open(digest)
    Artifacts(url).remove(digest)
    Artifacts(url).remove(digest)
    with pytest.raises(FersearchError, match=f"artifact {digest} is missing from {url}") as caught:
        Artifacts(url).open(digest)
    assert "FERSEARCH_ARTIFACTS" in caught.value.hint
