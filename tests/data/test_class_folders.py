"""Which folders are classes, which are parts, and which are neither."""

import os
from pathlib import Path

import pytest

from fersearch import DataError
from fersearch.data.class_folders import class_folders


def tree(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


def described(root: Path) -> list[tuple[str, int, int]]:
    return [(result.label, result.part, len(result.images)) for result in class_folders(root, [])]


def messages(root: Path) -> list[str]:
    findings: list[str] = []
    class_folders(root, findings)
    return findings


def refusal(root: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        class_folders(root, [])
    assert caught.value.hint
    return caught.value


WHOLE = [("a", 0, 1), ("b", 0, 1), ("a", 1, 1), ("b", 1, 1), ("a", 2, 1), ("b", 2, 1)]
NO_VALID = [("a", -2, 1), ("b", -2, 1), ("a", 2, 1), ("b", 2, 1)]
NO_TEST = [("a", 0, 1), ("b", 0, 1), ("a", 1, 1), ("b", 1, 1)]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ("train valid test", WHOLE),
        ("Training PublicTest PrivateTest", WHOLE),
        ("train dev eval", WHOLE),
        ("TRAIN Validation Testing", WHOLE),
        ("train_set val_set", NO_TEST),
        ("train eval", NO_TEST),
        ("train_data test_data", NO_VALID),
        ("train/train test/test", NO_VALID),
        ("train/images test/images", NO_VALID),
        ("images/train images/test", NO_VALID),
        ("archive/data/train archive/data/test", NO_VALID),
        ("images", [("a", -2, 1), ("b", -2, 1)]),
        (".", [("a", -2, 1), ("b", -2, 1)]),
    ],
)
def test_parts_and_classes_are_recognised_in_every_usual_layout(
    tmp_path: Path, parts: str, expected: list[tuple[str, int, int]]
) -> None:
    tree(tmp_path, *(f"{part}/{label}/1.png" for part in parts.split() for label in "ab"))
    assert described(tmp_path) == expected


@pytest.mark.parametrize(
    ("folders", "message", "hint"),
    [
        ("train2 test2", "test2/, train2/ in {} look like parts of a split", "--data {}/test2"),
        ("fold_1 fold_2", "fold_1/, fold_2/ in {} look like parts of a split", "--data {}/fold_1"),
        ("train/train train/val test", "train/, val/ in {}/train look like parts of a split", "--data {}/train"),
        ("one two", "every folder in {} (one/, two/) holds the same folders (a/, b/)", "--data {}/one"),
        ("mine", "every folder in {} (mine/) holds the same folders (a/, b/)", "--data {}/mine"),
        ("train test train_extra", "2 images lie in train_extra/ beside train/, test/ in {}", "train, valid or test"),
        ("train test other", "2 images lie in other/ beside train/, test/ in {}", "move it elsewhere"),
        ("dev eval", "{} has dev/, eval/ but no train folder", "train/<class>/"),
    ],
)
def test_what_would_become_classes_or_vanish_is_refused_with_the_folder_to_give(
    tmp_path: Path, folders: str, message: str, hint: str
) -> None:
    tree(tmp_path, *(f"{folder}/{label}/1.png" for folder in folders.split() for label in "ab"))
    error = refusal(tmp_path)
    assert message.format(tmp_path) in error.message
    assert hint.format(tmp_path) in error.hint


def test_persons_and_takes_within_emotions_are_no_classes(tmp_path: Path) -> None:
    tree(tmp_path, *(f"{word}/{who}/1.png" for word in ("happy", "sad") for who in ("p1", "p2")))
    assert described(tmp_path) == [("happy", -2, 2), ("sad", -2, 2)]


def test_images_that_are_left_out_are_reported(tmp_path: Path) -> None:
    tree(tmp_path, "train/a/1.png", "test/a/1.png", "samples/x.png", "train/y.png", "train/a/notes.txt")
    tree(tmp_path, "FER2013Train/1.png", "FER2013Train/2.png")
    assert messages(tmp_path) == [
        f"1 files in {tmp_path / 'train'} are not images and were left out",
        f"1 images are directly in {tmp_path / 'train'}, outside the class folders, and were left out: y.png",
        f"2 images lie in FER2013Train/ beside train/, test/ in {tmp_path} and were left out",
        f"1 images lie in samples/ beside train/, test/ in {tmp_path} and were left out",
    ]


def test_junk_is_no_class_and_no_image(tmp_path: Path) -> None:
    tree(tmp_path, "a/1.png", "b/2.png", "@eaDir/a/1.png", "a/@eaDir/1.png", "#recycle/x.png", "__MACOSX/a/1.png")
    assert described(tmp_path) == [("a", -2, 1), ("b", -2, 1)]
    assert messages(tmp_path) == []
    tree(tmp_path, "_c/3.png")
    assert messages(tmp_path) == [
        f"names that begin with @ # $ _, and thumbnails, are not images and were left out: {tmp_path / '_c'}"
    ]


def test_an_image_in_train_and_by_a_link_in_test_counts_once(tmp_path: Path) -> None:
    tree(tmp_path, "train/a/1.png", "test/a/2.png")
    (tmp_path / "test" / "a" / "1.png").symlink_to(tmp_path / "train" / "a" / "1.png")
    assert described(tmp_path) == [("a", -2, 1), ("a", 2, 1)]
    assert "links lead to images that are listed already, each counts once" in messages(tmp_path)[0]


def test_an_image_in_two_classes_by_a_link_is_refused(tmp_path: Path) -> None:
    tree(tmp_path, "a/1.png", "b/2.png")
    (tmp_path / "b" / "1.png").symlink_to(tmp_path / "a" / "1.png")
    assert refusal(tmp_path).message == (
        f"image {tmp_path / 'b' / '1.png'} is {tmp_path / 'a' / '1.png'} by a link: it has two classes, 'a' and 'b'"
    )


def test_class_folders_may_be_links_and_a_link_to_the_top_is_none(tmp_path: Path) -> None:
    store = tree(tmp_path / "store", "a/1.png", "b/2.png")
    top = tmp_path / "top"
    top.mkdir()
    for label in "ab":
        (top / label).symlink_to(store / label)
    (top / "all").symlink_to(top)
    assert described(top) == [("a", -2, 1), ("b", -2, 1)]


def test_a_class_whose_name_is_not_utf8_is_refused_by_name(tmp_path: Path) -> None:
    tree(tmp_path, "a/1.png", os.fsdecode(b"caf\xe9/2.png"))
    assert refusal(tmp_path).message == f"class folder {tmp_path}/caf\\xe9 has a name that is not UTF-8"


def test_an_empty_class_and_an_empty_folder_are_named(tmp_path: Path) -> None:
    assert refusal(tmp_path).message == f"no images found in {tmp_path}: it contains no folder"
    tree(tmp_path, "1.png")
    assert refusal(tmp_path).message == f"no images found in {tmp_path}: it contains 1 images and no folder"
    tree(tmp_path, "a/1.png")
    (tmp_path / "b").mkdir()
    assert refusal(tmp_path).message == f"class folder {tmp_path / 'b'} holds no images"


def test_two_folders_for_one_part_are_refused(tmp_path: Path) -> None:
    tree(tmp_path, "train/a/1.png", "val/a/1.png", "valid/a/1.png")
    assert "two folders for valid: val and valid" in refusal(tmp_path).message
