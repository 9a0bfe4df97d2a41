"""RAF-DB as it is published and as its mirror has it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from fersearch_datasets.rafdb import CLASSES, FIGURES, RafDb
from PIL import Image

from fersearch import DataError
from fersearch.data.arrays import load, prepare
from fersearch.data.prepared import Prepared
from fersearch.data.verify import show, verify
from fersearch.testing import DatasetSuite

WORDS = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
PUBLISHED = Path("basic", "EmoLabel", "list_patition_label.txt")


def noise(path: Path, seed: int, size: int = 20) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)).save(path)


def write_published(root: Path, train: int = 4, test: int = 1) -> Path:
    """The archive's tree with so many images of each code."""
    lines = []
    for seed, (part, n) in enumerate((("train", train), ("test", test))):
        for k in range(7 * n):
            lines.append(f"{part}_{k + 1:05d}.jpg {k % 7 + 1}")
            noise(root / "basic" / "Image" / "aligned" / f"{part}_{k + 1:05d}_aligned.jpg", 1000 * seed + k)
    (root / PUBLISHED).parent.mkdir(parents=True)
    (root / PUBLISHED).write_text("\n".join(lines) + "\n")
    return root


def write_mirror(root: Path, train: int = 4, test: int = 1, tables: bool = True) -> Path:
    for seed, (part, n) in enumerate((("train", train), ("test", test))):
        rows = ["image,label"]
        for k in range(7 * n):
            name = f"{part}_{k + 1:05d}_aligned.jpg"
            rows.append(f"{name},{k % 7 + 1}")
            noise(root / "DATASET" / part / str(k % 7 + 1) / name, 1000 * seed + k)
        if tables:
            (root / "DATASET" / f"{part}_labels.csv").write_text("\n".join(rows))
    return root


class TestPublished(DatasetSuite):
    dataset = RafDb()

    def make_source(self, folder: Path) -> Path:
        return write_published(folder)


class TestMirror(DatasetSuite):
    dataset = RafDb()

    def make_source(self, folder: Path) -> Path:
        return write_mirror(folder)


def prepared(source: Path, **options: int | str) -> Prepared:
    return prepare(RafDb(), source, options, source.parent / "prepared")


def labels_of(made: Prepared) -> dict[str, str]:
    """The word of every image by its file name."""
    names = [Path(name).name for name in made.columns["name"].tolist()]
    return {name: made.class_names[k] for name, k in zip(names, made.columns["label"].tolist(), strict=True)}


def test_the_published_figures_sum_up() -> None:
    assert {part: sum(counts.values()) for part, counts in FIGURES.items()} == {"train": 12_271, "test": 3_068}


@pytest.mark.parametrize("write", [write_published, write_mirror])
def test_codes_match_the_archives(tmp_path: Path, write) -> None:
    result = labels_of(prepared(write(tmp_path / "source")))
    assert [result[f"train_{k:05d}_aligned.jpg"] for k in range(1, 8)] == list(WORDS)


@pytest.mark.parametrize("write", [write_published, write_mirror])
def test_test_is_the_official_one_and_valid_is_drawn_from_train(tmp_path: Path, write) -> None:
    made = prepared(write(tmp_path / "source", train=20, test=2))
    splits = show(RafDb(), made, {})["splits"]
    assert {part: facts["n"] for part, facts in splits.items()} == {"train": 112, "valid": 28, "test": 14}
    rows = load(RafDb(), made, {}, with_test=True).indices["test"]
    assert all(Path(name).name.startswith("test_") for name in made.columns["name"][rows].tolist())


def test_counts_that_are_not_the_published_ones_are_reported(tmp_path: Path) -> None:
    findings = prepared(write_published(tmp_path / "source")).findings
    assert findings[0].startswith(
        "expected 12,271 train images, found 28; expected surprise 1,290 (found 4), fear 281 (found 4), "
    )
    assert findings[1].startswith("expected 3,068 test images, found 7; expected surprise 329 (found 1), ")


def test_originals_are_another_copy_of_whole_photos(tmp_path: Path) -> None:
    source = write_published(tmp_path / "source")
    for line in (source / PUBLISHED).read_text().splitlines():
        noise(source / "basic" / "Image" / "original" / line.split()[0], 7, size=60)
    made = prepared(source, images="original", channels=3, image_size=60)
    assert made.folder != prepared(source).folder
    assert made.columns["name"][0] == "Image/original/train_00001.jpg"
    assert "original images are whole photos, cropped to a square around the middle, not to the face" in made.findings


def test_the_mirror_has_no_originals(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Kaggle mirror, which has no original images"):
        prepared(write_mirror(tmp_path / "source"), images="original")


def refusal(source: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        prepared(source)
    return caught.value


def test_a_missing_label_list_is_named(tmp_path: Path) -> None:
    source = write_published(tmp_path / "source")
    (source / PUBLISHED).unlink()
    message = refusal(source)
    assert (
        message.message == f"only a part of RAF-DB is in {source / 'basic'}: EmoLabel/list_patition_label.txt missing"
    )
    assert "expected basic/EmoLabel" in message.hint


def test_a_missing_image_folder_is_named(tmp_path: Path) -> None:
    source = write_published(tmp_path / "source")
    (source / "basic" / "Image" / "aligned").rename(source / "elsewhere")
    assert refusal(source).message == f"only a part of RAF-DB is in {source / 'basic'}: no folder Image/aligned"


def test_missing_images_are_counted_and_the_first_named(tmp_path: Path) -> None:
    source = write_published(tmp_path / "source")
    folder = source / "basic" / "Image" / "aligned"
    for number in (2, 3):
        (folder / f"train_{number:05d}_aligned.jpg").unlink()
    assert refusal(source).message == (
        f"2 of 35 images that {source / PUBLISHED} names are missing, the first is {folder / 'train_00002_aligned.jpg'}"
    )


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("train_00001.jpg 8", "unknown emotion code '8'", "known: 1 surprise, 2 fear, 3 disgust"),
        ("train_00001.jpg", "'train_00001.jpg' is not an image and code", "train_00001.jpg 5"),
        ("valid_00001.jpg 1", "'valid_00001.jpg 1' is not an image and code", "train_00001.jpg 5"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str, message: str, hint: str) -> None:
    source = write_published(tmp_path / "source")
    (source / PUBLISHED).write_text(line)
    error = refusal(source)
    assert error.message == f"{source / PUBLISHED} line 1: {message}"
    assert hint in error.hint


def test_an_extra_image_is_reported(tmp_path: Path) -> None:
    source = write_published(tmp_path / "source")
    noise(source / "basic" / "Image" / "aligned" / "train_99999_aligned.jpg", 1)
    assert any("1 files in" in line and "train_99999_aligned.jpg" in line for line in prepared(source).findings)


def test_an_unreadable_image_is_named(tmp_path: Path) -> None:
    source = write_published(tmp_path / "source")
    (source / "basic" / "Image" / "aligned" / "test_00001_aligned.jpg").write_bytes(b"no picture")
    assert "test_00001_aligned.jpg is corrupt: not an image that can be read" in refusal(source).message


def test_a_folder_that_is_no_code_is_named(tmp_path: Path) -> None:
    source = write_mirror(tmp_path / "source")
    noise(source / "DATASET" / "train" / "hapy" / "a.jpg", 1)
    error = refusal(source)
    assert error.message == f"{source / 'DATASET' / 'train' / 'hapy'}: unknown label 'hapy'"
    assert error.hint.startswith("did you mean 'happy'? known: 1 surprise, 2 fear, 3 disgust, 4 happiness")


def rewrite(table: Path, change: Mapping[str, str], extra: Sequence[str] = ()) -> None:
    text = table.read_text()
    for old, new in change.items():
        text = text.replace(old, new)
    table.write_text("\n".join([text, *extra]))


def test_a_mirror_whose_tables_disagree_with_its_folders_is_reported(tmp_path: Path) -> None:
    source = write_mirror(tmp_path / "source")
    table = source / "DATASET" / "train_labels.csv"
    rewrite(table, {"train_00003_aligned.jpg,3": "train_00003_aligned.jpg,5"}, ["gone.jpg,1"])
    noise(source / "DATASET" / "test" / "2" / "new.jpg", 5)
    assert prepared(source).findings[:3] == (
        "1 rows of the label files have no image: gone.jpg",
        "1 images are in no label file: new.jpg",
        "1 images lie in another class's folder than their label: train_00003_aligned.jpg",
    )


def test_a_mirror_without_tables_says_so(tmp_path: Path) -> None:
    findings = prepared(write_mirror(tmp_path / "source", tables=False)).findings
    assert findings[0] == "no train_labels.csv and test_labels.csv: the folders alone give the labels"


def test_an_image_of_test_that_is_also_in_train_is_reported(tmp_path: Path) -> None:
    source = write_mirror(tmp_path / "source")
    folder = source / "DATASET"
    for k in range(4):  # all four images of a class, for one of them is drawn for valid
        copy = (folder / "train" / "1" / f"train_{7 * k + 1:05d}_aligned.jpg").read_bytes()
        (folder / "test" / "1" / f"test_{7 * k + 1:05d}_aligned.jpg").write_bytes(copy)
    report = verify(RafDb(), prepared(source), {})
    assert "leakage: 3 test images also occur in train" in report.findings


def test_the_classes_are_in_canonical_order() -> None:
    assert CLASSES == ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear")


def relist(source: Path, line: str, encoding: str = "utf-8", zero: bool = False, name: Path = PUBLISHED) -> Path:
    """Write the list anew: `line` is filled with image, stem, code, word and part."""
    lines = []
    for text in (source / PUBLISHED).read_text().splitlines():
        image, code = text.split()
        word = WORDS[int(code) - 1]
        code = str(int(code) - zero)
        lines.append(line.format(image=image, stem=image[:-4], code=code, word=word, part=image.split("_")[0]))
    (source / PUBLISHED).unlink()
    (source / name).write_text("\n".join(lines) + "\n", encoding=encoding)
    return source


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("{image} {code}", {"encoding": "utf-8-sig"}),
        ("{stem}_aligned.jpg {code}", {}),
        ("{image},{code}", {}),
        ("{image}, {code}", {}),
        ("{image}\t{code}", {}),
        ("{image} {word}", {}),
        ("{image},{word}", {}),
        ("{image} {code} {part}", {}),
        ("{image} {code} {word}", {}),
        ("aligned/{image} {code}", {}),
        ("{image} {code}", {"zero": True}),
        ("{image} {code}", {"name": PUBLISHED.with_name("list_partition_label.txt")}),
    ],
)
def test_every_shape_of_the_list_gives_the_published_labels(tmp_path: Path, line: str, options: dict) -> None:
    expected = prepared(write_published(tmp_path / "plain"))
    result = prepared(relist(write_published(tmp_path / "source"), line, **options))
    assert labels_of(result) == labels_of(expected)
    assert result.columns["split"].tolist() == expected.columns["split"].tolist()
    findings = [finding for finding in result.findings if finding not in expected.findings]
    zero = "codes run from 0 to 6: read as the published 1 to 7 less one (0 surprise ... 6 neutral)"
    assert findings == ([zero] if options.get("zero") else [])


def test_a_third_column_of_something_else_is_reported(tmp_path: Path) -> None:
    source = relist(write_published(tmp_path / "source"), "{image} {code} 0.93")
    assert "the third column of list_patition_label.txt is not used (35 lines)" in prepared(source).findings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train_00001.jpg 1 test", "line 1: image of train with 'test'"),
        ("train_00001.jpg 1 happy", "line 1: label 1 with 'happy'"),
        ("train_00001.jpg 1\ntrain_00001_aligned.jpg 2", "line 2: 'train_00001_aligned.jpg 2', but line 1 says 1"),
        ("train_00001.jpg 0\ntrain_00002.jpg 7", "line 1: emotion code 0, and"),
        ("train_00001.jpg NaN", "line 1: unknown label 'NaN'"),
        ("train_00001.jpg 1 2 3", "line 1: 'train_00001.jpg 1 2 3' is not an image and code"),
    ],
)
def test_a_list_that_contradicts_itself_is_refused(tmp_path: Path, text: str, message: str) -> None:
    source = write_published(tmp_path / "source")
    (source / PUBLISHED).write_text(text)
    assert message in refusal(source).message


def remade(root: Path, parts: Mapping[str, str], classes: Sequence[str]) -> Path:
    """The mirror with other names of its folders."""
    source = write_mirror(root, tables=False)
    for part, name in parts.items():
        for code, label in enumerate(classes, 1):
            (source / "DATASET" / part / str(code)).rename(source / "DATASET" / part / f"class {label}")
            (source / "DATASET" / part / f"class {label}").rename(source / "DATASET" / part / label)
        (source / "DATASET" / part).rename(source / "DATASET" / name)
    return source


@pytest.mark.parametrize(
    "classes", [WORDS, ("Surprise", "Fear", "Disgust", "Happy", "Sad", "Angry", "Neutral"), "1234567"]
)
@pytest.mark.parametrize("parts", [{"train": "train", "test": "val"}, {"train": "training_set", "test": "Testing"}])
def test_every_shape_of_the_mirror_gives_the_published_labels(
    tmp_path: Path, parts: Mapping[str, str], classes: Sequence[str]
) -> None:
    result = prepared(remade(tmp_path / "source", parts, classes))
    assert labels_of(result) == labels_of(prepared(write_mirror(tmp_path / "plain")))
    assert result.columns["split"].tolist() == [-2] * 28 + [2] * 7
    is_noted = any("the published test images: they are test" in line for line in result.findings)
    assert is_noted == ("val" in parts.values())


def test_a_mirror_of_codes_from_0_is_read_less_one(tmp_path: Path) -> None:
    source = write_mirror(tmp_path / "source", tables=False)
    for part in ("train", "test"):
        for code in range(1, 8):
            (source / "DATASET" / part / str(code)).rename(source / "DATASET" / part / str(code - 1))
    assert labels_of(prepared(source)) == labels_of(prepared(write_mirror(tmp_path / "plain")))


def test_a_valid_folder_of_training_images_is_no_official_split(tmp_path: Path) -> None:
    source = write_mirror(tmp_path / "source", tables=False)
    for image in list((source / "DATASET" / "test").glob("*/*.jpg")):
        image.rename(image.with_name(image.name.replace("test_", "train_9")))
    (source / "DATASET" / "test").rename(source / "DATASET" / "valid")
    result = prepared(source)
    assert result.columns["split"].tolist() == [0] * 28 + [1] * 7
    assert any("NOT the official split" in line for line in result.findings)


def test_an_image_in_two_class_folders_is_refused(tmp_path: Path) -> None:
    folder = write_mirror(tmp_path / "source") / "DATASET" / "train"
    noise(folder / "2" / "train_00001_aligned.jpg", 1)
    error = refusal(tmp_path / "source")
    assert error.message == (
        f"one image in two classes: {folder / '1' / 'train_00001_aligned.jpg'} and "
        f"{folder / '2' / 'train_00001_aligned.jpg'}"
    )
