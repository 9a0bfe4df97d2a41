"""What a study would see, written where the manifest dataset reads it again."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fersearch_datasets.imagefolder import ImageFolder
from fersearch_datasets.manifest import Manifest
from PIL import Image

from fersearch import FersearchError
from fersearch.data.arrays import load, prepare
from fersearch.data.export import Face, faces, renamed, to_csv, to_folder
from fersearch.data.prepared import Prepared
from fersearch.errors import UsageError


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def result(squares: Any, prepared: Prepared) -> list[Face]:
    return faces(squares, prepared, {})


def test_every_image_of_every_part_is_listed(result: list[Face]) -> None:
    assert {part: [face.split for face in result].count(part) for part in ("train", "valid", "test")} == {
        "train": 40,
        "valid": 10,
        "test": 10,
    }
    assert {face.source for face in result} == {"squares"}
    assert [face.label for face in result[:7]] == ["dark"] * 6 + ["bright"]


def test_a_limit_keeps_what_a_study_would(squares: Any, prepared: Prepared) -> None:
    result = faces(squares, prepared, {}, limit=20)
    assert [face.split for face in result].count("test") == 10
    assert len(result) == 30


def test_names_count_within_class_and_source_and_are_safe() -> None:
    def face(label: str, source: str) -> Face:
        return Face(0, "", label, "train", source, "")

    assert renamed([face("Very Happy/../x", "a"), face("sad", "a"), face("sad", "b"), face("sad", "a")]) == [
        "Very-Happy-..-x_a_0001.png",
        "sad_a_0001.png",
        "sad_b_0001.png",
        "sad_a_0002.png",
    ]


def test_labels_that_become_one_name_do_not_overwrite_each_other() -> None:
    names = renamed([Face(0, "", label, "train", "s", "") for label in ("a b", "a/b", "a-b")])
    assert len(set(names)) == 3


@pytest.mark.parametrize("channels", [1, 3])
def test_an_exported_folder_loads_again_equal_in_every_pixel(squares: Any, source: Path, channels: int) -> None:
    options = {"image_size": 8, "channels": channels}
    made = prepare(squares, source, options, source.parent / "p")
    to_folder(source.parent / "out", faces(squares, made, {}), made)
    again = prepare(Manifest(), source.parent / "out", options, source.parent / "p")
    first, second = load(squares, made, {}, with_test=True), load(Manifest(), again, {}, with_test=True)
    assert np.array_equal(again.images, made.images)
    for part in ("train", "valid", "test"):
        assert first.indices[part].tolist() == second.indices[part].tolist()
    names = [again.class_names[k] for k in second.hard]
    assert names == [made.class_names[k] for k in first.hard]
    assert again.findings == ()


def test_subjects_are_written(tmp_path: Path) -> None:
    from tests.data.conftest import Squares, write_squares

    made = prepare(Squares(), write_squares(tmp_path / "s", "drawn"), {"image_size": 8}, tmp_path / "p")
    to_folder(tmp_path / "out", faces(Squares(), made, {}), made)
    assert {row["subject"] for row in rows(tmp_path / "out" / "manifest.csv")} == {f"p{k}" for k in range(10)}


def test_a_csv_names_the_original_files_from_where_it_stands(tmp_path: Path) -> None:
    for label in ("happy", "sad"):
        (tmp_path / "set" / label).mkdir(parents=True)
        for k in range(8):
            Image.new("L", (48, 48), 10 * k + len(label)).save(tmp_path / "set" / label / f"{k}.png")
    made = prepare(ImageFolder(), tmp_path / "set", {}, tmp_path / "p")
    table = tmp_path / "lists" / "faces.csv"
    to_csv(table, faces(ImageFolder(), made, {}), tmp_path / "set")
    assert rows(table)[0]["image"] == "../set/happy/0.png"
    again = prepare(Manifest(), table, {}, tmp_path / "p")
    assert np.array_equal(again.images, made.images)


def test_a_csv_of_images_without_files_of_their_own_has_their_names(result: list[Face], source: Path) -> None:
    to_csv(source.parent / "faces.csv", result, source)
    assert [row["image"] for row in rows(source.parent / "faces.csv")][:2] == ["0", "1"]


def test_existing_files_are_not_overwritten_without_force(
    result: list[Face], prepared: Prepared, tmp_path: Path
) -> None:
    for path, write in (
        (tmp_path / "out", lambda force: to_folder(tmp_path / "out", result[:3], prepared, force)),
        (tmp_path / "out.csv", lambda force: to_csv(tmp_path / "out.csv", result[:3], None, force)),
    ):
        write(False)
        with pytest.raises(UsageError) as caught:
            write(False)
        assert caught.value.message == f"{path} exists"
        assert "--force" in caught.value.hint
        write(True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["images", "manifest.csv"]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_strangers_folder_is_never_replaced(result: list[Face], prepared: Prepared, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(UsageError, match="is not an earlier export\n  --force replaces only those"):
        to_folder(tmp_path / "mine", result, prepared, force=True)
    assert (tmp_path / "mine" / "thesis.tex").exists()


def test_a_failure_on_the_way_leaves_nothing(
    result: list[Face], prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_folder(tmp_path / "out", result[:3], prepared)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(FersearchError, match=r"cannot write .*out: No space left on device"):
        to_folder(tmp_path / "out", result, prepared, force=True)
    assert len(rows(tmp_path / "out" / "manifest.csv")) == 3
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".out")]
