"""CK+ in its three forms: codes, frames, persons and splits, and every way of being broken."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from fersearch_datasets._ckplus_copies import FRAMES, TABLE_PER_CLASS, TABLE_ROWS
from fersearch_datasets._ckplus_texts import LABELLED, PER_CLASS
from fersearch_datasets.ckplus import CkPlus
from PIL import Image, ImageDraw

from fersearch import DataError
from fersearch.data.arrays import Prepared, load, prepare
from fersearch.data.labels import EMOTIONS
from fersearch.data.verify import show, verify
from fersearch.space import Value
from fersearch.study import Protocol
from fersearch.testing import DatasetSuite

CODES = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
FOLDERS = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
TABLE = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "contempt")
USAGES = ("Training", "PublicTest", "PrivateTest")
SUBJECTS = ("S005", "S010", "S011", "S014")


def write_sequence(root: Path, subject: str, sequence: str, code: int | None, frames: int = 5) -> None:
    """Frames whose left edge is their number, each with a grey face of level 200 in its upper right."""
    folder = root / "cohn-kanade-images" / subject / sequence
    marks = root / "Landmarks" / subject / sequence
    label = root / "Emotion" / subject / sequence
    for path in (folder, marks, label):
        path.mkdir(parents=True)
    for k in range(1, frames + 1):
        image = Image.new("L", (64, 48), k)
        ImageDraw.Draw(image).rectangle((36, 4, 60, 28), fill=200 + k)
        stem = f"{subject}_{sequence}_{k:08d}"
        image.save(folder / f"{stem}.png")
        corners = [(40, 8), (56, 8), (56, 24), (40, 24)] * 17
        (marks / f"{stem}_landmarks.txt").write_text("".join(f"   {x:.7e}   {y:.7e}\n" for x, y in corners))
    if code is not None:
        (label / f"{subject}_{sequence}_{frames:08d}_emotion.txt").write_text(f"   {code:.7e}\n")


def write_original(root: Path, subjects: Sequence[str] = SUBJECTS) -> Path:
    """Every person shows the seven emotions, one sequence each, and one sequence without a label."""
    for subject in subjects:
        for code in (*range(1, 8), None):
            write_sequence(root, subject, f"{code or 9:03d}", code)
    return root


def write_ck48(root: Path, folders: Sequence[str] = FOLDERS, subjects: Sequence[str] = SUBJECTS) -> Path:
    random = np.random.default_rng(1)
    for code, name in enumerate(folders):
        (root / name).mkdir(parents=True)
        for subject in subjects:
            for frame in (9, 10, 11):
                pixels = random.integers(0, 256, (48, 48), dtype=np.uint8)
                Image.fromarray(pixels).save(root / name / f"{subject}_{code:03d}_{frame:08d}.png")
    return root


def greys(level: int) -> str:
    return " ".join([str(level)] * 2304)


def write_table(path: Path, rows: Sequence[tuple[int | str, int, str]] | None = None) -> Path:
    """Every code once in each part, or the given (emotion, grey level, Usage)."""
    counts = rows or [(code, 10 * code + part, usage) for part, usage in enumerate(USAGES) for code in range(8)]
    lines = [f"{emotion},{greys(level)},{usage}" for emotion, level, usage in counts]
    path.write_text("\n".join(["emotion,pixels,Usage", *lines]) + "\n")
    return path


class TestOriginal(DatasetSuite):
    dataset = CkPlus()

    def make_source(self, folder: Path) -> Path:
        return write_original(folder)


class TestCk48(DatasetSuite):
    dataset = CkPlus()

    def make_source(self, folder: Path) -> Path:
        write_ck48(folder / "CK+48")
        return folder


class TestTable(DatasetSuite):
    dataset = CkPlus()

    def make_source(self, folder: Path) -> Path:
        write_table(folder / "ckextended.csv")
        return folder


def prepared(source: Path, options: Mapping[str, Value] | None = None) -> Prepared:
    return prepare(CkPlus(), source, options or {}, source.parent / "prepared")


def totals(copy: Prepared, params: Mapping[str, Value]) -> dict[str, int]:
    """Images per class over all parts."""
    splits = show(CkPlus(), copy, params)["splits"].values()
    return {name: sum(part["per_class"][name] for part in splits) for name in next(iter(splits))["per_class"]}


def refusal(source: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        prepared(source)
    assert caught.value.hint
    return caught.value


def test_the_published_figures_agree_with_each_other() -> None:
    assert sum(PER_CLASS.values()) == LABELLED
    assert FRAMES == 3 * LABELLED
    assert sum(TABLE_PER_CLASS.values()) == TABLE_ROWS


def test_the_original_gives_last_frames_their_code_and_first_ones_neutral(tmp_path: Path) -> None:
    copy = prepared(write_original(tmp_path / "source"))
    names = copy.columns["name"].tolist()
    labels = [EMOTIONS[label] for label in copy.columns["label"]]
    label_of = dict(zip(names, labels, strict=True))
    assert len(label_of) == len(SUBJECTS) * 7 * 4
    for code in range(1, 8):
        stem = f"S005/{code:03d}/S005_{code:03d}_0000000"
        assert [label_of.get(f"{stem}{k}.png") for k in range(1, 6)] == ["neutral", None, *[CODES[code]] * 3]


@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize("neutral", [True, False])
def test_frames_and_neutral_choose_among_what_was_prepared(tmp_path: Path, frames: int, neutral: bool) -> None:
    copy = prepared(write_original(tmp_path / "source"))
    expected = dict.fromkeys((name for name in EMOTIONS if name != "neutral"), 4 * frames)
    result = totals(copy, {"frames": frames, "neutral": neutral})
    assert result == ({"neutral": 28, **expected} if neutral else expected)
    loaded = load(CkPlus(), copy, {"frames": frames, "neutral": neutral})
    for row in np.concatenate(list(loaded.indices.values())):
        assert loaded.task.class_names[loaded.hard[row]] == EMOTIONS[copy.columns["label"][row]]


def test_persons_are_known_and_no_drawn_part_divides_one(tmp_path: Path) -> None:
    copy = prepared(write_original(tmp_path / "source"))
    assert set(copy.columns["subject"].tolist()) == set(SUBJECTS)
    indices = load(CkPlus(), copy, {}, Protocol(split="kfold", folds=4, by="subject")).indices
    people = [set(copy.columns["subject"][rows].tolist()) for rows in indices.values()]
    assert not people[0] & people[1]


def test_short_sequences_keep_what_they_have(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for subject, frames in (("S050", 1), ("S051", 2), ("S052", 3)):
        write_sequence(source, subject, "001", 5, frames)
    assert [(name[:4], end) for name, end in zip(*rows_of(prepared(source), "name", "from_end"), strict=True)] == [
        ("S050", 0),
        ("S051", -1),
        ("S051", 0),
        ("S052", -1),
        ("S052", 1),
        ("S052", 0),
    ]


def rows_of(copy: Prepared, *columns: str) -> list[list[object]]:
    return [copy.columns[name].tolist() for name in columns]


def test_crops_take_the_face_the_middle_or_everything(tmp_path: Path) -> None:
    source = write_original(tmp_path / "source", SUBJECTS[:1])
    first = {crop: prepared(source, {"crop": crop}).images[0, 0] for crop in ("landmarks", "centre", "none")}
    assert first["landmarks"].min() > 150
    assert (first["centre"] == 201).mean() == pytest.approx(20 * 25 / 48**2, abs=0.02)
    assert (first["none"] == 201).mean() == pytest.approx(25 * 25 / (48 * 64), abs=0.04)


def test_colour_frames_become_grey_and_that_is_reported(tmp_path: Path) -> None:
    source = write_original(tmp_path / "source")
    path = source / "cohn-kanade-images" / "S005" / "001" / "S005_001_00000005.png"
    Image.new("RGB", (64, 48), (90, 90, 90)).save(path)
    copy = prepared(source)
    row = copy.columns["name"].tolist().index("S005/001/S005_001_00000005.png")
    assert (copy.images[row] == 90).all()
    assert "112 images were converted to 48x48 grey: 111 of 64x48 L, 1 of 64x48 RGB" in copy.findings


def test_frames_without_landmarks_are_cut_to_their_middle_and_counted(tmp_path: Path) -> None:
    source = write_original(tmp_path / "source", SUBJECTS[:1])
    for path in (source / "Landmarks" / "S005" / "001").iterdir():
        path.unlink()
    assert any(text.startswith("4 of 28 frames have no landmark file") for text in prepared(source).findings)


def test_what_differs_from_the_published_original_is_reported(tmp_path: Path) -> None:
    source = write_original(tmp_path / "source")
    (source / "Emotion" / "S005" / "001" / "notes.txt").touch()
    (source / "Emotion" / "S999" / "001").mkdir(parents=True)
    (source / "Emotion" / "S999" / "001" / "S999_001_00000005_emotion.txt").write_text("1.0")
    assert prepared(source).findings[:7] == (
        "4 sequences have no emotion file: they have no label and were left out",
        "1 emotion files are of sequences without images: S999/001",
        "1 files are neither frames nor the label of a sequence: left out",
        "expected 593 sequences, found 32",
        "expected 123 persons, found 4",
        "expected 327 labelled sequences, found 28",
        "labelled sequences per class: expected anger 45, found 4; contempt 18, found 4; disgust 59, found 4; "
        "fear 25, found 4; happiness 69, found 4; sadness 28, found 4; surprise 83, found 4",
    )


def test_folders_unpacked_side_by_side_are_located_one_level_down(tmp_path: Path) -> None:
    source = write_original(tmp_path / "source", SUBJECTS[:1])
    for folder, inside in (("images-zip", "cohn-kanade-images"), ("Emotion_labels", "Emotion")):
        (source / folder).mkdir()
        (source / inside).rename(source / folder / inside)
    assert prepared(source).count == 28


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("Emotion", "only a part of CK+ is in {}: cohn-kanade-images/ without Emotion/"),
        ("cohn-kanade-images", "only a part of CK+ is in {}: Emotion/ without cohn-kanade-images/"),
    ],
)
def test_a_part_of_the_original_is_refused(tmp_path: Path, gone: str, message: str) -> None:
    source = write_original(tmp_path / "source", SUBJECTS[:1])
    (source / gone).rename(tmp_path / gone)
    assert refusal(source).message == message.format(source)


def test_an_original_without_any_label_file_is_refused(tmp_path: Path) -> None:
    write_sequence(tmp_path / "source", "S005", "001", None)
    assert (
        refusal(tmp_path / "source").message
        == f"no labelled sequence in {tmp_path / 'source'}: 1 sequences of images, 0 emotion files"
    )


@pytest.mark.parametrize("text", ["8.0", "2.5", "", "happy", "nan"])
def test_an_unknown_code_is_named_with_its_file(tmp_path: Path, text: str) -> None:
    source = write_original(tmp_path / "source", SUBJECTS[:1])
    path = source / "Emotion" / "S005" / "001" / "S005_001_00000005_emotion.txt"
    path.write_text(text)
    error = refusal(source)
    assert error.message == f"{path}: unknown emotion code '{text}'"
    assert "5 happiness" in error.hint


def test_broken_landmarks_are_named_with_their_file(tmp_path: Path) -> None:
    source = write_original(tmp_path / "source", SUBJECTS[:1])
    path = source / "Landmarks" / "S005" / "001" / "S005_001_00000005_landmarks.txt"
    path.write_text("1 2 3\n")
    assert refusal(source).message == f"{path} holds no landmarks"


def test_a_frame_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    source = write_original(tmp_path / "source", SUBJECTS[:1])
    path = source / "cohn-kanade-images" / "S005" / "001" / "S005_001_00000005.png"
    path.write_bytes(b"no image")
    assert str(path) in refusal(source).message


def test_ck48_has_seven_classes_persons_and_no_neutral_one(tmp_path: Path) -> None:
    copy = prepared(write_ck48(tmp_path / "source"))
    assert copy.class_names == EMOTIONS[1:]
    assert totals(copy, {}) == dict.fromkeys(EMOTIONS[1:], 12)
    assert (
        totals(copy, {"frames": 1}) == totals(copy, {"frames": 1, "neutral": False}) == dict.fromkeys(EMOTIONS[1:], 4)
    )
    for name, label, subject, end in zip(*rows_of(copy, "name", "label", "subject", "from_end"), strict=True):
        folder, _, file = str(name).partition("/")
        assert EMOTIONS[1:][label] == {"happy": "happiness"}.get(folder, folder)
        assert file.startswith(str(subject))
        assert file.endswith(f"{11 - int(str(end)):08d}.png")


def test_what_differs_from_ck48_is_reported(tmp_path: Path) -> None:
    source = write_ck48(tmp_path / "source")
    (source / "happy" / "S005_004_00000009.png").rename(source / "happy" / "smile.png")
    (source / "happy" / "Thumbs.db").touch()
    assert prepared(source).findings == (
        f"1 files in {source} are not images and were left out",
        "1 images are not named like S056_003_00000009.png: no person is known: smile.png",
        "expected 981 images, found 84",
        "images per class: expected anger 135, found 12; contempt 54, found 12; disgust 177, found 12; "
        "fear 75, found 12; happiness 207, found 12; sadness 84, found 12; surprise 249, found 12",
        "expected 118 persons, found 4",
        "expected 327 sequences, found 28",
    )


def test_a_misspelt_class_folder_is_named_with_the_nearest_word(tmp_path: Path) -> None:
    source = write_ck48(tmp_path / "source")
    (source / "happy").rename(source / "hapy")
    error = refusal(source)
    assert error.message == f"{source / 'hapy'}: unknown label 'hapy'"
    assert "did you mean 'happy'?" in error.hint


def test_a_folder_of_another_emotion_is_no_class(tmp_path: Path) -> None:
    source = write_ck48(tmp_path / "source")
    (source / "happy").rename(source / "confused")
    assert refusal(source).message == f"{source / 'confused'}: 'confused' is not a class of CK+"


def test_the_table_has_its_own_codes_and_its_split(tmp_path: Path) -> None:
    copy = prepared(write_table(tmp_path / "ckextended.csv"))
    assert [EMOTIONS[label] for label in copy.columns["label"][:8]] == list(TABLE)
    assert copy.images[:, 0, 0, 0].tolist() == [10 * code + part for part in range(3) for code in range(8)]
    loaded = load(CkPlus(), copy, {}, with_test=True)
    assert {part: rows.tolist() for part, rows in loaded.indices.items()} == {
        "train": [*range(8)],
        "valid": [*range(8, 16)],
        "test": [*range(16, 24)],
    }


def test_the_table_without_neutral_has_seven_classes(tmp_path: Path) -> None:
    copy = prepared(write_table(tmp_path / "ckextended.csv"))
    assert totals(copy, {"neutral": False, "frames": 1}) == dict.fromkeys(EMOTIONS[1:], 3)


def test_the_table_says_that_it_lost_its_persons(tmp_path: Path) -> None:
    copy = prepared(write_table(tmp_path / "ckextended.csv"))
    assert copy.findings[0].startswith(
        "this table does not name persons: frames of one person may be in train and in valid or test"
    )
    assert copy.findings[1:] == (
        "expected 920 rows, found 24",
        "rows per class: expected anger 45, found 3; contempt 18, found 3; disgust 59, found 3; fear 25, found 3; "
        "happiness 69, found 3; sadness 28, found 3; surprise 83, found 3; neutral 593, found 3",
    )
    with pytest.raises(DataError, match="does not list its subjects"):
        load(CkPlus(), copy, {}, Protocol(split="kfold", folds=2, by="subject"))


def test_a_face_in_two_parts_of_the_table_is_reported_and_can_be_dropped(tmp_path: Path) -> None:
    rows = [(0, 1, "Training"), (0, 2, "Training"), (1, 3, "Training"), (0, 2, "PublicTest"), (1, 3, "PrivateTest")]
    rows.append((1, 4, "Training"))
    copy = prepared(write_table(tmp_path / "ckextended.csv", rows))
    findings = verify(CkPlus(), copy, {}).findings
    assert "leakage: 1 valid images also occur in train" in findings
    assert "leakage: 1 test images also occur in train" in findings
    assert load(CkPlus(), copy, {}, Protocol(duplicates="drop")).indices["train"].tolist() == [0, 5]


@pytest.mark.parametrize(
    ("emotion", "message"),
    [
        ("8", "unknown emotion code '8'"),
        ("hapy", "unknown label 'hapy'"),
        ("confused", "'confused' is not a class of CK+"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(tmp_path: Path, emotion: str, message: str) -> None:
    path = write_table(tmp_path / "ckextended.csv", [(0, 0, "Training"), (emotion, 0, "Training")])
    assert refusal(path).message == f"{path} line 3: {message}"


def test_a_folder_without_ckplus_is_refused_with_its_content(tmp_path: Path) -> None:
    (tmp_path / "source" / "stuff").mkdir(parents=True)
    error = refusal(tmp_path / "source")
    assert error.message == f"no CK+ images found in {tmp_path / 'source'}: it holds stuff/"
    assert "cohn-kanade-images/" in error.hint


def test_a_file_that_is_no_csv_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ck.zip"
    path.write_bytes(b"PK")
    assert refusal(path).message == f"{path} is not a CSV file"
