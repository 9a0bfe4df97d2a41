"""The content of a folder, and the error when it cannot be read."""

import os
from pathlib import Path

import pytest

from fersearch import DataError
from fersearch.data import folders


def tree(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def refusal(root: Path) -> str:
    with pytest.raises(DataError) as caught:
        folders.subfolders(root)
    assert caught.value.hint
    return caught.value.message


def test_a_missing_folder_and_a_file_are_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no") == f"{tmp_path / 'no'} does not exist"
    assert refusal(tree(tmp_path, "file") / "file") == f"{tmp_path / 'file'} is a file"


def test_a_forbidden_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", forbidden)
    assert refusal(tmp_path) == f"no permission to read {tmp_path}"


def test_roots_passes_over_folders_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree(tmp_path, "open/1.png", "shut/1.png")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "shut")
    assert list(folders.roots(tmp_path)) == [tmp_path, tmp_path / "open"]
