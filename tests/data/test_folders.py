"""What the folders of a dataset say about classes and parts."""

import os
from pathlib import Path

import pytest

from fersearch import DataError
from fersearch.data import class_folders, folders


def tree(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def described(root: Path) -> list[tuple[str, int, int]]:
    return [(found.label, found.part, len(found.images)) for found in class_folders.class_folders(root, [])]


def test_classes_without_parts_wait_to_be_drawn(tmp_path: Path) -> None:
    tree(tmp_path, "happy/1.png", "happy/2.JPG", "sad/deep/3.jpeg")
    assert described(tmp_path) == [("happy", -2, 2), ("sad", -2, 1)]


def test_train_waits_to_be_drawn_where_no_valid_is_given(tmp_path: Path) -> None:
    tree(tmp_path, "train/a/1.png", "test/a/1.png")
    assert described(tmp_path) == [("a", -2, 1), ("a", 2, 1)]


@pytest.mark.parametrize("valid", ["valid", "validation", "val", "Val"])
def test_three_parts_are_kept(tmp_path: Path, valid: str) -> None:
    tree(tmp_path, "train/a/1.png", f"{valid}/a/1.png", "test/a/1.png")
    assert described(tmp_path) == [("a", 0, 1), ("a", 1, 1), ("a", 2, 1)]


def test_hidden_files_are_passed_over_and_strangers_counted(tmp_path: Path) -> None:
    tree(tmp_path, "a/1.png", "a/.DS_Store", ".git/x.png", "__MACOSX/a/1.png", "a/notes.txt", "b/2.png")
    findings: list[str] = []
    assert [f.label for f in class_folders.class_folders(tmp_path, findings)] == ["a", "b"]
    assert findings == [f"1 files in {tmp_path} are no images and were left out"]


def refusal(root: Path) -> str:
    with pytest.raises(DataError) as caught:
        class_folders.class_folders(root, [])
    assert caught.value.hint
    return caught.value.message


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"no images found in {tmp_path}: it holds no folder"


def test_an_empty_class_is_named(tmp_path: Path) -> None:
    tree(tmp_path, "a/1.png")
    (tmp_path / "b").mkdir()
    assert refusal(tmp_path) == f"class folder {tmp_path / 'b'} holds no images"


def test_a_test_folder_without_a_train_folder_is_refused(tmp_path: Path) -> None:
    assert "has test/ but no train folder" in refusal(tree(tmp_path, "test/a/1.png"))


def test_two_folders_for_one_part_are_refused(tmp_path: Path) -> None:
    tree(tmp_path, "train/a/1.png", "val/a/1.png", "valid/a/1.png")
    assert "two folders for valid: val and valid" in refusal(tmp_path)


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
