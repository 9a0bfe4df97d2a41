"""KDEF by the names of its images: persons, angles and sessions, in any folders."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from fersearch_datasets.kdef import CLASSES, Kdef
from PIL import Image

from fersearch import DataError
from fersearch.data.arrays import Prepared, load, prepare
from fersearch.data.verify import show
from fersearch.study import Protocol
from fersearch.testing import DatasetSuite

CODES = {
    "AF": "fear",
    "AN": "anger",
    "DI": "disgust",
    "HA": "happiness",
    "NE": "neutral",
    "SA": "sadness",
    "SU": "surprise",
}
ANGLES = ("FL", "HL", "S", "HR", "FR")
PERSONS = ("F01", "M01", "F02", "M35")


def names(persons: Iterable[str] = PERSONS, sessions: str = "AB") -> list[str]:
    return [f"{s}{p}{code}{angle}" for s in sessions for p in persons for code in CODES for angle in ANGLES]


def photograph(seed: int) -> Image.Image:
    """A small picture in the proportions of KDEF: red above, noise in the middle square, blue below."""
    pixels = np.zeros((38, 28, 3), np.uint8)
    pixels[:5, :, 0], pixels[-5:, :, 2] = 255, 255
    pixels[5:-5] = np.random.default_rng(seed).integers(100, 150, (28, 28, 3))
    return Image.fromarray(pixels).resize((56, 76), Image.Resampling.NEAREST)


def write(root: Path, folder: str = "{session}{person}", wanted: Iterable[str] | None = None) -> Path:
    """The images in a folder per person, unless another pattern of folders is given."""
    for k, name in enumerate(names() if wanted is None else wanted):
        place = root / folder.format(session=name[0], person=name[1:4], emotion=CODES[name[4:6]])
        place.mkdir(parents=True, exist_ok=True)
        photograph(k).save(place / f"{name}.JPG", quality=95, subsampling=0)
    return root


class TestKdef(DatasetSuite):
    dataset = Kdef()

    def make_source(self, folder: Path) -> Path:
        return write(folder / "KDEF").parent


def prepared(source: Path, **options: str) -> Prepared:
    return prepare(Kdef(), source, options, source.parent / "prepared")


@pytest.mark.parametrize("folder", ["{session}{person}", ".", "KDEF/{emotion}"])
def test_names_tell_everything_whatever_the_folders(tmp_path: Path, folder: str) -> None:
    copy = prepared(write(tmp_path / "source", folder))
    columns = [copy.columns[name].tolist() for name in ("name", "label", "subject", "session", "angle")]
    assert sorted(Path(name).stem for name in columns[0]) == sorted(names())
    for name, label, subject, session, angle in zip(*columns, strict=True):
        stem = Path(name).stem
        assert (CODES[stem[4:6]], stem[1:4], stem[0], stem[6:]) == (CLASSES[label], subject, session, angle)


@pytest.mark.parametrize(
    ("params", "each"),
    [
        ({}, 4 * 2 * 3),
        ({"angles": "S"}, 4 * 2),
        ({"angles": "all"}, 4 * 2 * 5),
        ({"angles": "all", "sessions": "B"}, 4 * 5),
    ],
)
def test_angles_and_sessions_choose_among_what_was_prepared(tmp_path: Path, params: dict[str, str], each: int) -> None:
    copy = prepared(write(tmp_path / "source"))
    splits = show(Kdef(), copy, params)["splits"].values()
    assert {name: sum(part["per_class"][name] for part in splits) for name in CLASSES} == dict.fromkeys(CLASSES, each)


def test_full_profiles_are_left_out_by_default(tmp_path: Path) -> None:
    copy = prepared(write(tmp_path / "source"))
    rows = np.concatenate(list(load(Kdef(), copy, {}, with_test=True).indices.values()))
    assert set(copy.columns["angle"][rows].tolist()) == {"S", "HL", "HR"}


def test_a_person_is_one_in_both_sessions_and_is_left_out_whole(tmp_path: Path) -> None:
    copy = prepared(write(tmp_path / "source"))
    loaded = load(Kdef(), copy, {}, Protocol(split="loso"))
    assert loaded.rounds == len(PERSONS)
    left_out = loaded.indices["valid"]
    assert len(set(copy.columns["subject"][left_out].tolist())) == 1
    assert set(copy.columns["session"][left_out].tolist()) == {"A", "B"}


def test_the_middle_square_is_taken_or_everything_squeezed(tmp_path: Path) -> None:
    source = write(tmp_path / "source", wanted=["AF01ANS", "AM01ANS"])
    middle = prepare(Kdef(), source, {"channels": 3}, tmp_path / "p").images[0]
    whole = prepare(Kdef(), source, {"channels": 3, "crop": "none"}, tmp_path / "p").images[0]
    redness = [picture[0].astype(int) - picture[2] for picture in (middle, whole)]
    assert abs(redness[0][0].mean()) < 60 < 150 < redness[1][0].mean()
    assert abs(redness[0][-1].mean()) < 60 < 150 < -redness[1][-1].mean()


def test_names_in_small_letters_are_read(tmp_path: Path) -> None:
    source = write(tmp_path / "source", wanted=["AF01ANS", "AM01HAHL"])
    for path in list(source.rglob("*.JPG")):
        path.rename(path.with_name(path.name.lower().replace(".jpg", ".jpeg")))
    copy = prepared(source)
    assert copy.columns["subject"].tolist() == ["F01", "M01"]
    assert copy.columns["angle"].tolist() == ["S", "HL"]


def test_malformed_names_and_other_files_are_left_out_and_listed(tmp_path: Path) -> None:
    source = write(tmp_path / "source")
    for name in ("AM31H.JPG", "AF31V.JPG", "AF01XXS.JPG"):
        photograph(1).save(source / "AF01" / name)
    (source / "README.txt").touch()
    copy = prepared(source)
    assert copy.count == len(names())
    assert copy.findings[:2] == (
        f"1 files in {source} are not images and were left out",
        "3 images are not named like AF01ANFL.JPG and were left out: AF01XXS.JPG, AF31V.JPG, AM31H.JPG",
    )


def test_an_image_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    source = write(tmp_path / "source")
    (source / "copy").mkdir()
    photograph(1).save(source / "copy" / "AF01ANS.JPG")
    copy = prepared(source)
    assert copy.count == len(names())
    assert "1 images occur more than once; the first of each counts: AF01ANS.JPG" in copy.findings


def test_a_name_in_a_folder_of_another_emotion_counts_and_is_reported(tmp_path: Path) -> None:
    source = write(tmp_path / "source", "{emotion}")
    (source / "anger" / "AF01ANS.JPG").rename(source / "fear" / "AF01ANS.JPG")
    copy = prepared(source)
    assert any("in a folder of another emotion" in text and "fear/AF01ANS.JPG" in text for text in copy.findings)
    row = [Path(name).stem for name in copy.columns["name"].tolist()].index("AF01ANS")
    assert CLASSES[copy.columns["label"][row]] == "anger"


def test_what_differs_from_the_published_set_is_reported(tmp_path: Path) -> None:
    wanted = [name for name in names() if name != "AF01ANFL"]
    findings = prepared(write(tmp_path / "source", wanted=wanted)).findings
    assert findings[:2] == ("expected 4,900 images, found 279", "expected 70 persons, found 4")
    assert "anger 700, found 39" in findings[2]
    assert findings[3] == (
        "images per angle: expected FL 980, found 55; HL 980, found 56; S 980, found 56; "
        "HR 980, found 56; FR 980, found 56"
    )


def refusal(source: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        prepared(source)
    assert caught.value.hint
    return caught.value


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    source = write(tmp_path / "source")
    (source / "AF01" / "AF01ANS.JPG").write_bytes(b"")
    assert refusal(source).message == f"image {source / 'AF01' / 'AF01ANS.JPG'} is empty (0 bytes)"


def test_renamed_images_are_refused_with_their_content(tmp_path: Path) -> None:
    (tmp_path / "source" / "happy").mkdir(parents=True)
    photograph(1).save(tmp_path / "source" / "happy" / "001.jpg")
    error = refusal(tmp_path / "source")
    assert error.message == (
        f"no KDEF images found in {tmp_path / 'source'}: "
        "none of its 1 images is named like AF01ANFL.JPG, the first is 001.jpg"
    )
    assert "--dataset imagefolder" in error.hint


def test_a_folder_without_images_is_refused_with_its_content(tmp_path: Path) -> None:
    (tmp_path / "source" / "docs").mkdir(parents=True)
    assert refusal(tmp_path / "source").message == f"no KDEF images found in {tmp_path / 'source'}: it holds docs/"
