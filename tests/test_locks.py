"""Locks end with who holds them, and a file that was removed meanwhile is not locked in vain."""

import errno
from pathlib import Path

import pytest

from fersearch import locks
from fersearch.locks import beside, is_held, lock, remove_unlocked, try_lock, wait_lock


def test_a_lock_is_held_by_one_and_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.lock"
    held = try_lock(path)
    assert held is not None
    assert try_lock(path) is None
    held.release()
    held.release()
    assert not path.exists()
    again = try_lock(path)
    assert again is not None
    again.release()


def test_a_file_that_its_holder_removed_is_not_taken_for_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real, opened = tmp_path / "a.lock", Path.open, []

    def removed_at_first(self: Path, *arguments: str):
        file = real(self, *arguments)
        opened.append(file)
        if len(opened) == 1:
            self.unlink()
        return file

    monkeypatch.setattr(Path, "open", removed_at_first)
    held = try_lock(path)
    assert held is not None
    assert len(opened) == 2
    assert path.exists()
    assert try_lock(path) is None
    held.release()


def test_who_waits_gets_it_or_goes_on_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "LOOK", 0.0)
    path = tmp_path / "a.lock"
    held = try_lock(path)
    assert held is not None
    assert wait_lock(path, 0.0) is None
    beats: list[int] = []

    def meanwhile() -> None:
        beats.append(1)
        if len(beats) == 3:
            held.release()

    taken = wait_lock(path, 60.0, meanwhile)
    assert taken is not None
    assert len(beats) == 3
    taken.release()


def test_without_locks_on_the_file_system_nobody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    assert try_lock(tmp_path / "a.lock") is not None
    assert try_lock(tmp_path / "a.lock") is not None
    with lock(tmp_path / "b.lock"):
        pass


def test_a_folder_in_which_somebody_works_stays(tmp_path: Path) -> None:
    folder = tmp_path / "3"
    folder.mkdir()
    (folder / "last.pt").write_text("state")
    assert not is_held(folder)
    with try_lock(beside(folder)) or pytest.fail("it is free"):
        assert is_held(folder)
        assert not remove_unlocked(folder)
        assert (folder / "last.pt").exists()
    assert remove_unlocked(folder)
    assert list(tmp_path.iterdir()) == []
    assert remove_unlocked(tmp_path / "never" / "3")
    assert list(tmp_path.iterdir()) == []
