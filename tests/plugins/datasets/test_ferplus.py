"""FER+ in both layouts: the authors' rules, the join by rows, every way of being broken, and the real counts."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fersearch_datasets import _votes
from fersearch_datasets._ferplus_layouts import FERPLUS
from fersearch_datasets.ferplus import FerPlus
from PIL import Image

from fersearch import DataError
from fersearch.data.arrays import Prepared, load, prepare
from fersearch.data.verify import show, verify
from fersearch.testing import DatasetSuite

FOLDERS = ("FER2013Train", "FER2013Valid", "FER2013Test")
HEADER = ["Usage", "Image name", *FERPLUS[:9], "NF"]
CLEAR = [[9 if k == c else 0 for k in range(10)] for c in range(8)]
SPREAD = [[6, 4, 0, 0, 0, 0, 0, 0, 0, 0], [5, 5, 0, 0, 0, 0, 0, 0, 0, 0]]
UNKNOWN = [[0, 1, 0, 0, 0, 0, 0, 0, 9, 0], [2, 0, 0, 0, 0, 0, 0, 0, 0, 8]]
VOTES = CLEAR + SPREAD + UNKNOWN


def face(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (48, 48), dtype=np.uint8)


def write_folders(root: Path, rows: Sequence[Sequence[int]] = VOTES) -> Path:
    for part, folder in enumerate(FOLDERS):
        (root / folder).mkdir(parents=True)
        with (root / folder / "label.csv").open("w", newline="") as file:
            table = csv.writer(file)
            for k, row in enumerate(rows):
                number = part * 100 + k
                Image.fromarray(face(number)).save(root / folder / f"fer{number:07d}.png")
                table.writerow([f"fer{number:07d}.png", "(0, 0, 48, 48)", *row])
    return root


def write_tables(root: Path, rows: Sequence[Sequence[int]] = VOTES, blank: Sequence[int] = (2,)) -> Path:
    """Both tables; the rows in `blank` have no image name, and names count on without them, as the real ones do."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / "fer2013.csv").open("w") as pixels, (root / "fer2013new.csv").open("w", newline="") as voted:
        pixels.write("emotion,pixels,Usage\n")
        table = csv.writer(voted)
        table.writerow(HEADER)
        number = 0
        for part, usage in enumerate(("Training", "PublicTest", "PrivateTest")):
            for k, row in enumerate(rows):
                pixels.write(f"0,{' '.join(map(str, face(part * 100 + k).ravel()))},{usage}\n")
                name = "" if part == 0 and k in blank else f"fer{number:07d}.png"
                number += bool(name)
                table.writerow([usage, name, *row])
    return root


class TestFolders(DatasetSuite):
    dataset = FerPlus()

    def make_source(self, folder: Path) -> Path:
        return write_folders(folder)


class TestTables(DatasetSuite):
    dataset = FerPlus()

    def make_source(self, folder: Path) -> Path:
        return write_tables(folder, blank=(9,))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    root = tmp_path_factory.mktemp("ferplus")
    return prepare(FerPlus(), write_folders(root / "source"), {}, root / "prepared")


def counts(prepared: Prepared, **params: Any) -> dict[str, int]:
    return {part: facts["n"] for part, facts in show(FerPlus(), prepared, params)["splits"].items()}


@pytest.mark.parametrize(
    ("params", "train", "others"),
    [
        ({}, 10, 9),
        ({"target": "majority"}, 9, 9),
        ({"target": "multi_target"}, 10, 9),
        ({"classes": 7}, 9, 8),
        ({"filter": "argmax"}, 10, 10),
        ({"filter": "none"}, 12, 12),
        ({"classes": 10}, 12, 12),
    ],
)
def test_options_and_targets_keep_what_they_say(
    small: Prepared, params: dict[str, Any], train: int, others: int
) -> None:
    assert counts(small, **params) == {"train": train, "valid": others, "test": others}


def test_valid_and_test_are_in_majority_mode_whatever_is_taught(small: Prepared) -> None:
    loaded = load(FerPlus(), small, {"target": "crossentropy"}, with_test=True)
    assert loaded.soft is not None
    assert (loaded.soft[loaded.indices["test"]].max(1) == 1).all()
    assert loaded.soft[8].tolist() == pytest.approx([0.6, 0.4, 0, 0, 0, 0, 0, 0])


def test_ten_classes_are_taught_the_raw_votes(small: Prepared) -> None:
    loaded = load(FerPlus(), small, {"classes": 10})
    assert loaded.task.class_names == FERPLUS
    assert loaded.soft is not None
    assert loaded.soft[10].tolist() == pytest.approx([0, 0.1, 0, 0, 0, 0, 0, 0, 0.9, 0])
    assert loaded.hard[8:12].tolist() == [0, 0, 8, 9]


def test_seven_classes_are_the_eight_without_contempt(small: Prepared) -> None:
    loaded = load(FerPlus(), small, {"classes": 7})
    assert loaded.task.class_names == FERPLUS[:7]
    assert loaded.hard[7] == -1


def test_multi_target_marks_every_class_that_is_right(small: Prepared) -> None:
    loaded = load(FerPlus(), small, {"target": "multi_target"})
    assert loaded.soft is not None
    assert loaded.soft[8].tolist() == [1, 1, 0, 0, 0, 0, 0, 0]


def test_pixels_and_votes_are_joined_by_row_and_not_by_the_number_in_the_name(tmp_path: Path) -> None:
    prepared = prepare(FerPlus(), write_tables(tmp_path / "source"), {}, tmp_path / "p")
    assert prepared.count == 3 * len(VOTES) - 1
    assert prepared.columns["name"][2] == "fer0000002.png"
    assert np.array_equal(prepared.images[2, 0], face(3))
    assert prepared.columns["votes"][2].tolist() == VOTES[3]


def test_tables_say_where_their_votes_come_from_and_what_was_left_out(tmp_path: Path) -> None:
    findings = prepare(FerPlus(), write_tables(tmp_path / "source"), {}, tmp_path / "p").findings
    assert "votes come from fer2013new.csv" in findings[0]
    assert findings[1] == "1 rows without an image name (no face) were left out"
    assert findings[2] == "expected 28,561 labelled train images, found 11"


def test_an_unexpected_count_and_a_stranger_are_reported_and_do_no_harm(tmp_path: Path) -> None:
    source = write_folders(tmp_path / "source")
    Image.fromarray(face(1)).save(source / "FER2013Valid" / "extra.png")
    findings = prepare(FerPlus(), source, {}, tmp_path / "p").findings
    assert "expected 3,579 labelled valid images, found 12" in findings
    assert "1 files in FER2013Valid are not in its label.csv" in findings


def test_a_name_that_occurs_twice_is_reported(tmp_path: Path) -> None:
    source = write_folders(tmp_path / "source")
    table = source / "FER2013Test" / "label.csv"
    table.write_text(table.read_text() + table.read_text().splitlines()[0] + "\n")
    assert "1 image names occur more than once: fer0000200.png" in prepare(FerPlus(), source, {}, tmp_path).findings


def test_images_lead_where_both_layouts_are_there(tmp_path: Path) -> None:
    source = write_tables(write_folders(tmp_path / "source"))
    assert len(FerPlus().files(source)) == 3 + 3 * len(VOTES)


def test_tables_lead_where_label_csv_has_no_images(tmp_path: Path) -> None:
    source = write_tables(write_folders(tmp_path / "source"))
    for image in source.rglob("*.png"):
        image.unlink()
    assert [path.name for path in FerPlus().files(source)] == ["fer2013.csv", "fer2013new.csv"]


def test_an_archive_that_unpacked_into_a_folder_is_located(tmp_path: Path) -> None:
    write_folders(tmp_path / "source" / "data")
    assert len(FerPlus().files(tmp_path / "source")) == 3 + 3 * len(VOTES)


def refusal(source: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        prepare(FerPlus(), source, {}, source.parent / "prepared")
    assert caught.value.hint
    return caught.value


def test_a_folder_without_ferplus_says_what_is_expected(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    assert str(refusal(tmp_path)) == (
        f"no FER+ images found in {tmp_path}: it holds photos/\n"
        "  expected FER2013Train/, FER2013Valid/, FER2013Test/ with label.csv, or fer2013.csv with fer2013new.csv;\n"
        "  give the folder with --data, or try the built-in drawings now: --dataset faces"
    )


def test_a_part_that_is_missing_is_named(tmp_path: Path) -> None:
    source = write_folders(tmp_path / "source")
    (source / "FER2013Valid" / "label.csv").unlink()
    assert refusal(source).message == f"only a part of FER+ is in {source}: FER2013Valid/label.csv missing"


@pytest.mark.parametrize("missing", ["fer2013.csv", "fer2013new.csv"])
def test_one_table_without_the_other_is_named(tmp_path: Path, missing: str) -> None:
    source = write_tables(tmp_path / "source")
    (source / missing).unlink()
    assert refusal(source).message.endswith(f"without {missing}")


def test_missing_images_are_counted_and_the_first_named(tmp_path: Path) -> None:
    source = write_folders(tmp_path / "source")
    first = source / "FER2013Train" / "fer0000003.png"
    first.unlink()
    assert refusal(source).message == f"1 of 36 images that label.csv names are missing, the first is {first}"


def test_a_corrupt_image_is_named(tmp_path: Path) -> None:
    source = write_folders(tmp_path / "source")
    broken = source / "FER2013Train" / "fer0000003.png"
    broken.write_bytes(broken.read_bytes()[:100])
    assert refusal(source).message.startswith(f"image {broken} is corrupt")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("fer0000999.png,x,1,2,3", "5 columns, expected 12"),
        ('fer0000000.png,"(0, 0, 48, 48)",1,2,3,x,0,0,0,0,0,0', "votes must be whole numbers"),
        ('fer0000000.png,"(0, 0, 48, 48)",1,2,3,-4,0,0,0,0,0,0', "votes must be whole numbers"),
    ],
)
def test_a_wrong_row_of_label_csv_is_named_by_its_line(tmp_path: Path, row: str, message: str) -> None:
    source = write_folders(tmp_path / "source")
    table = source / "FER2013Train" / "label.csv"
    table.write_text(row + "\n" + table.read_text())
    assert refusal(source).message.startswith(f"{table} line 1: {message}")


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("fer2013new.csv", "contempt", "scorn", "fer2013new.csv: no column 'contempt'"),
        ("fer2013.csv", "pixels", "greys", "fer2013.csv: no column 'pixels'"),
        ("fer2013.csv", ",Training", " 7,Training", "fer2013.csv line 2: 2,305 pixels, expected 2,304 (48x48)"),
        ("fer2013.csv", "0,", "0,300 ", "fer2013.csv line 2: 2,305 pixels"),
        (
            "fer2013new.csv",
            "PublicTest",
            "PrivateTest",
            "line 14: Usage 'PrivateTest' where fer2013.csv has 'publictest'",
        ),
    ],
)
def test_a_wrong_table_is_named(tmp_path: Path, file: str, old: str, new: str, message: str) -> None:
    source = write_tables(tmp_path / "source")
    path = source / file
    path.write_text(path.read_text().replace(old, new, 1))
    assert message in refusal(source).message


def test_tables_of_different_length_are_refused(tmp_path: Path) -> None:
    source = write_tables(tmp_path / "source")
    lines = (source / "fer2013new.csv").read_text().splitlines()
    (source / "fer2013new.csv").write_text("\n".join(lines[:-1]))
    assert "fer2013.csv has 36 rows and" in refusal(source).message


REAL = os.environ.get("FERSEARCH_FERPLUS", "")
needs_real = pytest.mark.skipif(not REAL, reason="FERSEARCH_FERPLUS names no folder with the real FER+")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(FerPlus(), Path(REAL), {}, tmp_path_factory.mktemp("real"))


@needs_real
@pytest.mark.slow
@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"target": "majority"}, (25_045, 3_191, 3_137)),
        ({}, (27_947, 3_191, 3_137)),
        ({"target": "probability"}, (27_947, 3_191, 3_137)),
        ({"target": "multi_target"}, (27_667, 3_191, 3_137)),
        ({"classes": 10}, (28_558, 3_579, 3_573)),
        ({"filter": "argmax"}, (28_385, 3_555, 3_545)),
        ({"filter": "none"}, (28_556, 3_579, 3_573)),
        ({"classes": 7, "target": "majority"}, (24_925, 3_175, 3_122)),
    ],
)
def test_the_real_files_give_the_published_counts(
    real: Prepared, params: dict[str, Any], expected: tuple[int, int, int]
) -> None:
    assert counts(real, **params) == dict(zip(("train", "valid", "test"), expected, strict=True))


@needs_real
@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("majority", (25_045, 3_191, 3_137)),
        ("crossentropy", (27_947, 3_508, 3_507)),
        ("multi_target", (27_667, 3_472, 3_466)),
    ],
)
def test_each_rule_keeps_the_published_number_of_each_part(
    real: Prepared, target: str, expected: tuple[int, int, int]
) -> None:
    labelled = _votes.select(real.columns["votes"], target).sum(1) > 0
    assert tuple(int(labelled[real.columns["split"] == part].sum()) for part in range(3)) == expected


@needs_real
@pytest.mark.slow
def test_crossentropy_targets_have_the_published_number_of_classes(real: Prepared) -> None:
    loaded = load(FerPlus(), real, {})
    assert loaded.soft is not None
    kinds = np.bincount((loaded.soft[loaded.indices["train"]] > 0).sum(1))
    assert kinds.tolist() == [0, 19_021, 7_878, 1_048]


@needs_real
@pytest.mark.slow
@pytest.mark.parametrize(
    ("params", "part", "expected"),
    [
        ({"target": "majority"}, "train", [8733, 7284, 3136, 3022, 2098, 116, 536, 120]),
        ({"target": "majority"}, "test", [1083, 892, 394, 382, 269, 16, 86, 15]),
        ({}, "train", [10107, 7501, 3517, 3445, 2401, 170, 643, 163]),
        ({"target": "multi_target"}, "train", [10056, 7489, 3481, 3410, 2337, 150, 598, 146]),
        ({"classes": 10}, "train", [10295, 7526, 3557, 3530, 2463, 191, 655, 168, 171, 2]),
        ({"classes": 10}, "valid", [1329, 899, 458, 415, 325, 32, 71, 26, 23, 1]),
        ({"classes": 10}, "test", [1258, 928, 447, 446, 321, 20, 97, 28, 28, 0]),
        ({"filter": "none"}, "train", [10377, 7537, 3583, 3559, 2476, 195, 659, 170]),
    ],
)
def test_the_real_files_give_the_published_counts_per_class(
    real: Prepared, params: dict[str, Any], part: str, expected: list[int]
) -> None:
    per_class = show(FerPlus(), real, params)["splits"][part]["per_class"]
    assert list(per_class.values()) == expected


@needs_real
@pytest.mark.slow
def test_the_real_files_have_the_known_flaws(real: Prepared) -> None:
    result = verify(FerPlus(), real, {"classes": 10})
    assert result.findings[:5] == (
        "test has no image of not_a_face",
        "votes: 10 an image but for 1 (fer0010406.png)",
        "exact duplicates: 1,513 groups, 1,840 redundant images, 556 groups across splits, 240 with conflicting labels",
        "leakage: 279 valid images also occur in train",
        "leakage: 288 test images also occur in train",
    )
    near = {one.splits: one.images for one in result.near}
    assert near["train", "valid"] == pytest.approx(241, abs=3)
    assert near["train", "test"] == pytest.approx(242, abs=3)


@needs_real
@pytest.mark.slow
def test_the_real_train_pixels_have_the_known_mean_and_deviation(real: Prepared) -> None:
    loaded = load(FerPlus(), real, {"classes": 10})
    assert loaded.mean == pytest.approx((0.5076,), abs=1e-4)
    assert loaded.std == pytest.approx((0.2544,), abs=1e-4)
