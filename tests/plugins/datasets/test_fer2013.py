"""FER2013 as a CSV and as folders: labels by name, the official split where it can be known."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from fersearch_datasets.fer2013 import CLASSES, Fer2013
from PIL import Image

from fersearch import DataError
from fersearch.data.arrays import Prepared, load, prepare
from fersearch.testing import DatasetSuite

FOLDER_NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
CANONICAL = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
USAGES = ("Training", "PublicTest", "PrivateTest")


def greys(level: int) -> str:
    return " ".join([str(level)] * 2304)


def write_csv(path: Path, header: str = "emotion,pixels,Usage", usages: Sequence[str] = USAGES) -> Path:
    """Every code twice in each part; the grey level is 10 times the code."""
    rows = [f"{code},{greys(code * 10)},{usage}" for usage in usages for code in range(7) for _ in range(2)]
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def write_folders(root: Path, parts: Sequence[str], prefixes: Sequence[Sequence[str]], n: int = 2) -> Path:
    for part, names in zip(parts, prefixes, strict=True):
        for code, label in enumerate(FOLDER_NAMES):
            folder = root / part / label
            folder.mkdir(parents=True)
            for prefix in names:
                for k in range(n):
                    Image.new("L", (48, 48), code * 10).save(folder / f"{prefix}{code}{k:03d}.png")
    return root


OFFICIAL = (("train", "test"), (("Training_",), ("PublicTest_", "PrivateTest_")))


class TestTable(DatasetSuite):
    dataset = Fer2013()

    def make_source(self, folder: Path) -> Path:
        write_csv(folder / "fer2013.csv")
        return folder


class TestFolders(DatasetSuite):
    dataset = Fer2013()

    def make_source(self, folder: Path) -> Path:
        return write_folders(folder, *OFFICIAL)


@pytest.fixture
def prepared_csv(tmp_path: Path) -> Prepared:
    return prepare(Fer2013(), write_csv(tmp_path / "fer2013.csv"), {}, tmp_path / "p")


def named_levels(prepared: Prepared) -> dict[str, int]:
    """The grey level that each class name was given."""
    labels = prepared.columns["label"]
    return {
        CLASSES[label]: int(prepared.images[np.flatnonzero(labels == label)[0]].max()) for label in set(labels.tolist())
    }


def test_codes_are_mapped_by_name(prepared_csv: Prepared) -> None:
    assert named_levels(prepared_csv) == {name: code * 10 for code, name in enumerate(CANONICAL)}


def test_folders_are_mapped_by_name(tmp_path: Path) -> None:
    prepared = prepare(Fer2013(), write_folders(tmp_path / "source", *OFFICIAL), {}, tmp_path / "p")
    assert named_levels(prepared) == {name: code * 10 for code, name in enumerate(CANONICAL)}


def test_usage_is_the_split(prepared_csv: Prepared) -> None:
    loaded = load(Fer2013(), prepared_csv, {}, with_test=True)
    assert {part: (int(rows[0]), len(rows)) for part, rows in loaded.indices.items()} == {
        "train": (0, 14),
        "valid": (14, 14),
        "test": (28, 14),
    }


def test_an_unexpected_count_is_reported(prepared_csv: Prepared) -> None:
    assert prepared_csv.findings[0] == "expected 28,709 train images, found 14"


@pytest.mark.parametrize("header", ["emotion, pixels, Usage", " Emotion ,Pixels, usage"])
def test_a_header_with_blanks_is_read(tmp_path: Path, header: str) -> None:
    prepared = prepare(Fer2013(), write_csv(tmp_path / "icml_face_data.csv", header), {}, tmp_path / "p")
    assert prepared.count == 42


def test_columns_in_another_order_are_read(tmp_path: Path) -> None:
    path = tmp_path / "icml_face_data.csv"
    path.write_text(f"emotion, Usage, pixels\n3,Training,{greys(7)}\n0,PublicTest,{greys(9)}\n")
    prepared = prepare(Fer2013(), path, {}, tmp_path / "p")
    assert prepared.images[:, 0, 0, 0].tolist() == [7, 9]
    assert prepared.columns["split"].tolist() == [0, 1]


def test_rows_without_usage_are_drawn_and_reported_as_unofficial(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("emotion,pixels\n" + "".join(f"{k % 2},{greys(k)}\n" for k in range(20)))
    prepared = prepare(Fer2013(), path, {}, tmp_path / "p")
    assert {part: len(rows) for part, rows in load(Fer2013(), prepared, {}).indices.items()} == {
        "train": 14,
        "valid": 4,
    }
    assert "not the official split" in prepared.findings[-1]


def test_file_names_with_their_prefix_give_the_official_split(tmp_path: Path) -> None:
    prepared = prepare(Fer2013(), write_folders(tmp_path / "source", *OFFICIAL), {}, tmp_path / "p")
    for name, part in zip(prepared.columns["name"].tolist(), prepared.columns["split"].tolist(), strict=True):
        assert Path(name).name.startswith(f"{USAGES[part]}_")


def test_without_prefixes_valid_is_drawn_from_train_and_that_is_reported(tmp_path: Path) -> None:
    source = write_folders(tmp_path / "source", ("train", "test"), (("im",), ("im",)), n=10)
    prepared = prepare(Fer2013(), source, {}, tmp_path / "p")
    loaded = load(Fer2013(), prepared, {}, with_test=True)
    assert {part: len(rows) for part, rows in loaded.indices.items()} == {"train": 56, "valid": 14, "test": 70}
    assert "valid is drawn from train" in prepared.findings[0]


def test_the_mirror_with_a_validation_folder_is_reported_as_unofficial(tmp_path: Path) -> None:
    source = write_folders(tmp_path / "source" / "images", ("train", "validation"), (("x",), ("x",)))
    prepared = prepare(Fer2013(), source.parent, {}, tmp_path / "p")
    assert "NOT the official split" in prepared.findings[0]
    assert {part: len(rows) for part, rows in load(Fer2013(), prepared, {}).indices.items()} == {
        "train": 14,
        "valid": 14,
    }


def refusal(source: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        prepare(Fer2013(), source, {}, source.parent / "prepared")
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (f"7,{greys(0)},Training", "line 2: unknown emotion code '7'"),
        (f"hapy,{greys(0)},Training", "line 2: unknown label 'hapy'"),
        (f"contempt,{greys(0)},Training", "line 2: 'contempt' is not a class of FER2013"),
        (f"0,{greys(0)},Trainig", "line 2: unknown Usage 'Trainig'"),
        ("0,1 2 3,Training", "line 2: 3 pixels, expected 2,304 (48x48)"),
        (f"0,{greys(256)},Training", "line 2: pixel '256' is not a whole number from 0 to 255"),
        ("0", "line 2: 1 columns, the header has 3"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_text(f"emotion,pixels,Usage\n{row}\n")
    assert refusal(path).message == f"{path} {message}"


def test_pixels_without_labels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "test.csv"
    path.write_text(f"pixels\n{greys(0)}\n")
    assert refusal(path).message == f"{path}: no column 'emotion'; it has pixels"


def test_a_misspelt_class_folder_is_named_with_the_nearest_word(tmp_path: Path) -> None:
    source = write_folders(tmp_path / "source", *OFFICIAL)
    (source / "train" / "happy").rename(source / "train" / "hapy")
    error = refusal(source)
    assert error.message == f"{source / 'train' / 'hapy'}: unknown label 'hapy'"
    assert "did you mean 'happy'?" in error.hint


def test_a_folder_without_fer2013_is_refused_with_its_content(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    assert refusal(tmp_path / "source").message == f"no FER2013 images found in {tmp_path / 'source'}: it holds nothing"


def test_a_file_that_is_no_csv_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.zip"
    path.write_bytes(b"PK")
    assert refusal(path).message == f"{path} is not a CSV file"


def rows_of(labels: Sequence[str], usages: Sequence[str] = USAGES) -> str:
    return "".join(f"{label},{greys(k)},{usage}\n" for usage in usages for k, label in enumerate(labels))


@pytest.mark.parametrize(
    "labels", [[f"{code}.0" for code in range(7)], ["0", "1", "2", "3.0", "4", "5", "6"], CANONICAL]
)
def test_codes_as_fractions_and_names_are_read_correctly(tmp_path: Path, labels: Sequence[str]) -> None:
    (tmp_path / "fer2013.csv").write_text(f"emotion,pixels,Usage\n{rows_of(labels)}")
    prepared = prepare(Fer2013(), tmp_path, {}, tmp_path / "p")
    assert [CLASSES[k] for k in prepared.columns["label"][:7].tolist()] == list(CANONICAL)


def test_codes_that_run_from_1_are_refused(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_text(f"emotion,pixels,Usage\n{rows_of('1234567')}")
    error = refusal(tmp_path / "fer2013.csv")
    assert "emotion code 7 and no 0: these codes run from 1, the dataset's from 0" in error.message
    assert error.hint.endswith("6 neutral; subtract 1 from each")


def test_codes_that_may_run_from_1_are_doubted(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_text(f"emotion,pixels,Usage\n{rows_of('123456')}")
    assert prepare(Fer2013(), tmp_path, {}, tmp_path / "p").findings[0].startswith("no label is code 0 (anger)")


@pytest.mark.parametrize(
    ("column", "usages"),
    [("set", USAGES), ("Split", ("train", "val", "test")), ("subset", ("Train", "dev", "Testing"))],
)
def test_usage_under_another_name_is_the_split(tmp_path: Path, column: str, usages: Sequence[str]) -> None:
    (tmp_path / "fer2013.csv").write_text(f"emotion,pixels,{column}\n{rows_of('01', usages)}")
    prepared = prepare(Fer2013(), tmp_path, {}, tmp_path / "p")
    assert prepared.columns["split"].tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("label", ["", "NA", "nan"])
def test_a_row_without_an_emotion_is_named(tmp_path: Path, label: str) -> None:
    (tmp_path / "fer2013.csv").write_text(f"emotion,pixels,Usage\n{rows_of(['0', label])}")
    assert f"line 3: emotion is {repr(label) if label else 'blank'}" in refusal(tmp_path / "fer2013.csv").message


@pytest.mark.parametrize(
    "parts",
    [("Training", "PublicTest", "PrivateTest"), ("train/train", "val_set", "test_data"), ("train", "dev", "eval")],
)
def test_folders_of_the_official_parts_give_the_official_split(tmp_path: Path, parts: Sequence[str]) -> None:
    source = write_folders(tmp_path / "source", parts, (("Training_",), ("PublicTest_",), ("PrivateTest_",)))
    prepared = prepare(Fer2013(), source, {}, tmp_path / "p")
    assert prepared.columns["split"].tolist() == [0] * 14 + [1] * 14 + [2] * 14
    assert prepared.findings[0] == "expected 28,709 train images, found 14"


def test_folders_that_contradict_the_names_in_them_are_not_the_official_split(tmp_path: Path) -> None:
    prefixes = (("Training_", "PublicTest_"), ("Training_", "PrivateTest_"), ("PrivateTest_",))
    source = write_folders(tmp_path / "source", ("train", "val", "test"), prefixes)
    prepared = prepare(Fer2013(), source, {}, tmp_path / "p")
    assert prepared.columns["split"].tolist() == [0] * 28 + [1] * 28 + [2] * 14
    assert "NOT the official split" in prepared.findings[0]


def test_a_hint_names_the_codes_and_not_every_word(tmp_path: Path) -> None:
    (tmp_path / "fer2013.csv").write_text(f"emotion,pixels,Usage\n{rows_of(['0', 'xyz'])}")
    assert refusal(tmp_path / "fer2013.csv").hint == (
        "known: 0 anger, 1 disgust, 2 fear, 3 happiness, 4 sadness, 5 surprise, 6 neutral"
    )
