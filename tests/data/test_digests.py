"""Digests know equal files and equal data again, whatever their times, their place and the machine."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from fersearch import DataError
from fersearch.data import digests


def write(folder: Path, **files: bytes) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in files]


def test_the_digest_of_files_is_of_their_names_and_bytes(tmp_path: Path) -> None:
    files = write(tmp_path / "a", x=b"one", y=b"two")
    first = digests.of_files(files, tmp_path / "a")
    parts = b"".join(
        len(n).to_bytes(8, "big") + n + hashlib.sha256(c).digest() for n, c in ((b"x", b"one"), (b"y", b"two"))
    )
    assert first == hashlib.sha256(parts).hexdigest()
    os.utime(files[0], ns=(1, 1))
    assert digests.of_files(files[::-1], tmp_path / "a") == first
    moved = (tmp_path / "a").rename(tmp_path / "b")
    assert digests.of_files([moved / "y", moved / "x"], moved) == first
    (moved / "x").write_bytes(b"One")
    assert digests.of_files([moved / "y", moved / "x"], moved) != first


def test_one_file_is_named_by_its_folder_and_one_outside_by_the_way_there(tmp_path: Path) -> None:
    (table,) = write(tmp_path / "a", **{"t.csv": b"image,label"})
    (image,) = write(tmp_path / "pictures", **{"p.png": b"p"})
    assert digests.relative_name(table, tmp_path / "a") == b"t.csv"
    assert digests.relative_name(image, tmp_path / "a") == b"../pictures/p.png"
    assert digests.of_files([table], table) == digests.of_files([table], table.parent)


def test_a_name_that_is_no_utf_8_has_a_digest_too(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    try:
        (path,) = write(tmp_path, **{name: b"x"})
    except OSError:
        pytest.skip("the file system takes no such name")
    assert digests.relative_name(path, tmp_path) == b"caf\xe9.png"
    assert len(digests.of_files([path], tmp_path)) == 64


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.png does not exist"):
        digests.of_files([tmp_path / "gone.png"], tmp_path)


def test_each_image_has_a_digest_of_its_pixels() -> None:
    images = np.arange(3 * 16, dtype=np.uint8).reshape(3, 1, 4, 4)
    images[2] = images[0]
    result = digests.of_images(images)
    assert result.shape == (3, 16)
    assert result[0].tobytes() == hashlib.blake2b(images[0].tobytes(), digest_size=16).digest()
    assert (result[0] == result[2]).all()
    assert (result[0] != result[1]).any()


def seen(**changes: object) -> str:
    rows = {"train": np.array([0, 1]), "valid": np.array([3])}
    known = {
        "class_names": ("a", "b"),
        "shape": (1, 4),
        "images": np.arange(4 * 16, dtype=np.uint8).reshape(4, 16),
        "columns": {"hard": np.array([0, 1, 0, 1]), "soft": None, "subject": np.array(["p", "q", "r", "s"])},
        "parts": rows,
    }
    return digests.of_rows(**{**known, **changes})  # type: ignore[arg-type]


def test_what_is_seen_is_classes_shape_parts_pixels_labels_votes_and_subjects() -> None:
    images = np.arange(4 * 16, dtype=np.uint8).reshape(4, 16)
    images[1, 0] += 1
    hard, subject = np.array([0, 1, 0, 1]), np.array(["p", "q", "r", "s"])
    others = {
        "classes": seen(class_names=("a", "c")),
        "shape": seen(shape=(3, 4)),
        "pixels": seen(images=images),
        "labels": seen(columns={"hard": np.array([1, 1, 0, 1]), "soft": None, "subject": subject}),
        "votes": seen(columns={"hard": hard, "soft": np.eye(2, dtype=np.float32)[hard], "subject": subject}),
        "subjects": seen(columns={"hard": hard, "soft": None, "subject": np.array(["p", "p", "r", "s"])}),
        "parts": seen(parts={"train": np.array([0]), "valid": np.array([1, 3])}),
        "order": seen(parts={"train": np.array([1, 0]), "valid": np.array([3])}),
    }
    assert len({seen(), *others.values()}) == 1 + len(others)


def test_rows_in_no_part_and_the_width_of_numbers_and_texts_do_not_count() -> None:
    hard, subject = np.array([0, 1, 1, 1], np.int8), np.array(["p", "q", "another", "s"])
    assert seen(columns={"hard": hard, "soft": None, "subject": subject}) == seen()
    remaining = np.array([0, 1, 3])
    fewer = {"hard": hard[remaining], "subject": subject[remaining]}
    images = np.arange(4 * 16, dtype=np.uint8).reshape(4, 16)[remaining]
    assert seen(images=images, columns=fewer, parts={"train": np.array([0, 1]), "valid": np.array([2])}) == seen()


def test_several_digests_become_one() -> None:
    assert digests.together(["a", "a"]) == "a"
    assert digests.together(["a", "b"]) == hashlib.sha256(b"a\nb").hexdigest()


def test_the_makers_are_the_installed_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"fersearch", "numpy", "pillow"} <= set(digests.makers())
    monkeypatch.setitem(digests.MAKERS, "opencv", ("no-such-package",))
    assert "opencv" not in digests.makers()
