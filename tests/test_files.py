"""A file is whole or not there."""

import errno
import os
import stat
from pathlib import Path

import pytest

from fersearch import files
from fersearch.files import atomic_folder, atomic_path, write_atomic


def test_write_atomic_makes_the_folder_and_the_file(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a" / "b.txt", b"hello")
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"hello"
    assert os.listdir(tmp_path / "a") == ["b.txt"]


def test_write_atomic_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "state"
    write_atomic(path, b"old")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"


def test_an_error_inside_the_block_keeps_the_old_file_and_leaves_no_other(tmp_path: Path) -> None:
    path = tmp_path / "state"
    write_atomic(path, b"old")
    with pytest.raises(ZeroDivisionError), atomic_path(path) as temporary:
        temporary.write_bytes(bytes(1 // 0))
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["state"]


def test_a_full_disk_at_the_sync_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(tmp_path / "state", b"data")
    assert os.listdir(tmp_path) == []


def test_a_real_full_device_leaves_no_half_file(tmp_path: Path) -> None:
    def fill() -> None:
        with atomic_path(tmp_path / "state") as temporary:
            temporary.unlink()
            temporary.symlink_to("/dev/full")
            temporary.write_bytes(b"data")

    with pytest.raises(OSError) as caught:
        fill()
    assert caught.value.errno == errno.ENOSPC
    assert os.listdir(tmp_path) == []


def test_a_file_has_the_usual_permissions(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    write_atomic(tmp_path / "atomic", b"")
    assert stat.S_IMODE((tmp_path / "atomic").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_folder_takes_its_place_whole_and_what_stood_there_goes(tmp_path: Path) -> None:
    for text in ("first", "second"):
        with atomic_folder(tmp_path / "a" / "made") as work:
            (work / "file").write_text(text)
        assert (tmp_path / "a" / "made" / "file").read_text() == text
    assert os.listdir(tmp_path / "a") == ["made"]
    assert stat.S_IMODE((tmp_path / "a" / "made").stat().st_mode) & 0o700 == 0o700


def test_a_folder_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "made") as work:
        (work / "file").write_text("old")

    def fail() -> None:
        with atomic_folder(tmp_path / "made") as work:
            (work / "file").write_text("new")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail()
    assert (tmp_path / "made" / "file").read_text() == "old"
    assert os.listdir(tmp_path) == ["made"]
