"""A dataset is prepared once, whole or not at all, and outlives its source."""

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest

from fersearch import DataError, UsageError
from fersearch.data import digests
from fersearch.data import prepared as room
from fersearch.data.prepared import Prepared, prepare


def test_pixels_and_columns_are_stored_as_read(prepared: Prepared) -> None:
    assert prepared.images.shape == (60, 1, 8, 8)
    assert prepared.images[:, 0, 1, 1].tolist() == [k * 4 % 256 for k in range(60)]
    assert prepared.images[0, 0, 0, 0] == 255
    assert sorted(prepared.columns) == ["label", "split", "subject"]
    assert prepared.columns["label"].tolist() == [(k // 6) % 2 for k in range(60)]


def test_arrays_are_mapped_and_cannot_be_written(prepared: Prepared) -> None:
    assert isinstance(prepared.images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        prepared.images[0] = 0


def test_facts_of_a_copy_are_stored(prepared: Prepared, source: Path) -> None:
    assert prepared.class_names == ("dark", "bright")
    assert (prepared.count, prepared.image_size, prepared.channels, prepared.files) == (60, 8, 1, 1)
    assert prepared.findings == ("squares are simple",)
    assert prepared.source == str(source)
    assert prepared.options == {"image_size": 8, "channels": 1, "corner": 255}


def test_a_copy_is_made_once(squares: Any, source: Path, tmp_path: Path) -> None:
    before = type(squares).reads
    folders = {prepare(squares, source, {}, tmp_path / "p").folder for _ in range(3)}
    assert len(folders) == 1
    assert type(squares).reads == before + 1


def test_other_options_or_changed_files_make_another_copy(squares: Any, source: Path, tmp_path: Path) -> None:
    first = prepare(squares, source, {"image_size": 8}, tmp_path)
    other = prepare(squares, source, {"image_size": 8, "corner": 0}, tmp_path)
    same = prepare(squares, source, {"image_size": 8, "flip_labels": True}, tmp_path)
    os.utime(source / "squares.txt", ns=(1, 1))
    changed = prepare(squares, source, {"image_size": 8}, tmp_path)
    assert first.folder == same.folder
    assert len({first.folder, other.folder, changed.folder}) == 3
    assert first.digest == changed.digest != other.digest


def test_a_moved_source_is_the_same_dataset(squares: Any, source: Path, tmp_path: Path) -> None:
    first = prepare(squares, source, {}, tmp_path / "p")
    moved = source.rename(tmp_path / "moved")
    assert prepare(squares, moved, {}, tmp_path / "p").folder == first.folder


def test_a_copy_outlives_its_source(squares: Any, source: Path, tmp_path: Path) -> None:
    first = prepare(squares, source, {}, tmp_path / "p")
    shutil.rmtree(source)
    assert prepare(squares, source, {}, tmp_path / "p").folder == first.folder
    with pytest.raises(DataError):
        prepare(squares, source, {"image_size": 9}, tmp_path / "p")


def test_progress_ends_at_the_total(squares: Any, source: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    prepare(squares, source, {}, tmp_path, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (60, 60)


def test_an_option_that_is_not_offered_is_refused_before_anything_is_read(
    squares: Any, source: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="no option 'size'"):
        prepare(squares, source, {"size": 8}, tmp_path)


def left_over(root: Path) -> list[str]:
    return [path.name for path in (root / "squares").iterdir() if path.suffix != ".lock"]


def test_an_error_while_reading_leaves_nothing(
    squares: Any, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(squares, source, {}, tmp_path / "p", interrupt)
    assert left_over(tmp_path / "p") == []


def test_a_full_disk_leaves_nothing_and_says_so(
    squares: Any, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: BinaryIO, shape: tuple[int, ...]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(room, "_header", full)
    with pytest.raises(DataError, match="no space left to prepare the dataset"):
        prepare(squares, source, {}, tmp_path / "p")
    assert left_over(tmp_path / "p") == []


def test_what_a_killed_process_left_is_cleared_away(squares: Any, source: Path, tmp_path: Path) -> None:
    first = prepare(squares, source, {}, tmp_path)
    half = first.folder.with_name(f".{first.folder.name}.half")
    first.folder.rename(half)
    (half / "meta.json").unlink()
    again = prepare(squares, source, {}, tmp_path)
    assert again.folder == first.folder
    assert left_over(tmp_path) == [again.folder.name]


def test_two_at_once_make_one_copy(squares: Any, source: Path, tmp_path: Path) -> None:
    before = type(squares).reads
    result: list[Path] = []
    threads = [
        threading.Thread(target=lambda: result.append(prepare(squares, source, {}, tmp_path).folder)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(result) == 4
    assert len(set(result)) == 1
    assert type(squares).reads == before + 1


def test_a_lock_ends_with_the_process_that_held_it(squares: Any, source: Path, tmp_path: Path) -> None:
    copy = prepare(squares, source, {}, tmp_path)
    shutil.rmtree(copy.folder)
    held = (
        f"import fcntl, os; f = open({str(copy.folder) + '.lock'!r}, 'ab'); fcntl.flock(f, fcntl.LOCK_EX); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", held], check=False).returncode == 9
    assert prepare(squares, source, {}, tmp_path).folder == copy.folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 61}, "announced 61 images and gave 60"),
        ({"columns": {"label": np.zeros(3)}}, "column 'label' has 3 rows for 60 images"),
        ({"count": 1, "images": [np.zeros((8, 8), np.uint8)]}, "image 0 is uint8 (8, 8), not uint8 (1, 48, 48)"),
        ({"count": 0, "images": []}, "holds no images"),
    ],
)
def test_a_dataset_that_breaks_its_word_is_reported_so(
    squares: Any, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], message: str
) -> None:
    raw = squares.read(source, {"image_size": 48, "channels": 1, "corner": 0})
    for name, value in change.items():
        setattr(raw, name, value)
    if "count" in change and change["count"] == 61:
        raw.columns = {}
    monkeypatch.setattr(squares, "read", lambda *_: raw)
    with pytest.raises(DataError) as caught:
        prepare(squares, source, {}, tmp_path)
    assert message in caught.value.message


def test_a_broken_copy_is_named(prepared: Prepared) -> None:
    (prepared.folder / "meta.json").write_text("{")
    with pytest.raises(DataError, match="holds no prepared dataset"):
        Prepared.open(prepared.folder)
    (prepared.folder / "images.npy").write_bytes(b"")
    with pytest.raises(DataError, match=r"images.npy is corrupt"):
        _ = prepared.images


def test_the_digest_of_the_files_and_who_read_them_are_taken_while_preparing(
    squares: Any, source: Path, tmp_path: Path
) -> None:
    first = prepare(squares, source, {}, tmp_path / "p")
    assert first.files_digest == digests.of_files([source / "squares.txt"], source)
    assert first.makers == {**digests.makers(), "dataset squares": "1"}
    os.utime(source / "squares.txt", ns=(1, 1))
    touched = prepare(squares, source, {}, tmp_path / "p")
    assert touched.folder != first.folder
    assert touched.files_digest == first.files_digest


def test_unchanged_files_are_not_read_again(
    squares: Any, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = prepare(squares, source, {}, tmp_path / "p")

    def read(path: Path, *_: Any, **__: Any) -> None:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(digests, "_bytes_digest", read)
    monkeypatch.setattr(squares, "read", read)
    assert prepare(squares, source, {}, tmp_path / "p") == first


def test_a_copy_from_before_files_had_digests_gets_one_once(squares: Any, source: Path, tmp_path: Path) -> None:
    first = prepare(squares, source, {}, tmp_path / "p")
    meta = json.loads((first.folder / "meta.json").read_text())
    del meta["files_digest"], meta["makers"]
    (first.folder / "meta.json").write_text(json.dumps(meta))
    assert Prepared.open(first.folder).files_digest == ""
    again = prepare(squares, source, {}, tmp_path / "p")
    assert (again.folder, again.files_digest, again.makers) == (first.folder, first.files_digest, {})
    assert Prepared.open(first.folder).files_digest == first.files_digest


def test_files_that_change_while_they_are_prepared_make_no_copy(squares: Any, source: Path, tmp_path: Path) -> None:
    def change(*_: int) -> None:
        with (source / "squares.txt").open("a") as file:
            file.write("\n0 0 - 1")

    with pytest.raises(DataError, match="changed while they were prepared"):
        prepare(squares, source, {}, tmp_path / "p", change)
    assert left_over(tmp_path / "p") == []


def test_each_image_has_a_digest_that_is_taken_once(prepared: Prepared) -> None:
    result = np.array(prepared.image_digests)
    assert result.shape == (60, 16)
    np.save(prepared.folder / room.IMAGE_DIGESTS, result[::-1])
    assert (Prepared.open(prepared.folder).image_digests == result[::-1]).all()
