"""The datasets of the layout table, each on a small tree as its archive has it."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fersearch_datasets.layouts import LAYOUTS, FromLayout
from PIL import Image

from fersearch import DataError
from fersearch.data.arrays import load, prepare
from fersearch.data.labels import CANONICAL
from fersearch.data.prepared import Prepared
from fersearch.data.verify import show, verify
from fersearch.testing import DatasetSuite

DATASETS = {layout.name: FromLayout(layout) for layout in LAYOUTS}


def noise(path: Path, seed: int, width: int = 20, height: int = 20) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def write_oahega(root: Path, n: int = 8) -> Path:
    for code, label in enumerate(("Ahegao", "Angry", "Happy", "Neutral", "Sad", "Surprise")):
        for k in range(n):
            noise(root / "dataset" / label / f"{k}.{'png' if k % 2 else 'jpg'}", 100 * code + k, 20 + k)
    (root / "data.csv").write_text(",path,label\n0,Surprise/0.jpg,Surprise\n")
    return root


def write_fed(root: Path, train: int = 8, test: int = 2) -> Path:
    for seed, (part, n) in enumerate((("train", train), ("test", test))):
        for code, label in enumerate(("Agree", "Aversion", "Confusion", "Think")):
            for k in range(n):
                noise(root / part / label / f"{k}.jpg", 1000 * seed + 100 * code + k)
    return root


def write_affectnet(root: Path, train: int = 3, valid: int = 1) -> Path:
    """The eight-class release, with an image of no face in each set."""
    for seed, (part, n) in enumerate((("train_set", train), ("val_set", valid))):
        (root / part / "annotations").mkdir(parents=True)
        for k, code in enumerate([*range(8)] * n + [10]):
            noise(root / part / "images" / f"{k}.jpg", 1000 * seed + k)
            for kind, value in (("exp", str(code)), ("val", "0.1"), ("aro", "-0.2")):
                np.save(root / part / "annotations" / f"{k}_{kind}.npy", np.array(value))
    return root


def write_affectnet_tables(root: Path) -> Path:
    header = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
    for seed, (part, n) in enumerate((("training", 3), ("validation", 1))):
        rows = [header]
        for k, code in enumerate([*range(8)] * n + [8, 9, 10]):
            rows.append(f"{seed}/{k}.jpg,10,5,20,20,1;2,{code},0.1,-0.2")
            if code < 8:
                noise(root / "Manually_Annotated_Images" / str(seed) / f"{k}.jpg", 1000 * seed + k, 40, 30)
        (root / f"{part}.csv").write_text("\n".join(rows))
    return root


def write_expw(root: Path, photos: int = 21) -> Path:
    """Two faces in each photo: the left half and the right half."""
    lines = []
    for k in range(photos):
        noise(root / "image" / f"photo {k}.jpg", k, 40, 20)
        lines.append(f"photo {k}.jpg 0 0 0 20 20 95.5 {k % 7}")
        lines.append(f"photo {k}.jpg 1 0 20 40 20 60.1 {(k + 1) % 7}")
    (root / "label.lst").write_text("\n".join(lines))
    return root


def write_ferg(root: Path, n: int = 2) -> Path:
    expressions = ("anger", "disgust", "fear", "joy", "neutral", "sadness", "surprise")
    for seed, who in enumerate(("aia", "bonnie", "jules", "malcolm", "mery", "ray")):
        for code, expression in enumerate(expressions):
            for k in range(n):
                noise(root / "FERG_DB_256" / who / f"{who}_{expression}" / f"{k}.png", 1000 * seed + 10 * code + k)
    return root


def write_muxspace(root: Path, n: int = 6) -> Path:
    rows = ["user.id,image,emotion"]
    labels = ("anger", "Contempt", "disgust", "FEAR", "happiness", "NEUTRAL", "sadness", "surprise")
    for code, label in enumerate(labels):
        for k in range(n):
            rows.append(f"{k},{label}_{k}.jpg,{label}")
            noise(root / "images" / f"{label}_{k}.jpg", 100 * code + k)
    (root / "data").mkdir()
    (root / "data" / "legend.csv").write_text("\n".join(rows))
    return root


WRITERS: dict[str, Callable[[Path], Path]] = {
    "oahega": write_oahega,
    "fed2023": write_fed,
    "affectnet": write_affectnet,
    "expw": write_expw,
    "ferg": write_ferg,
    "muxspace": write_muxspace,
}


class TestOahega(DatasetSuite):
    dataset = DATASETS["oahega"]

    def make_source(self, folder: Path) -> Path:
        return write_oahega(folder)


class TestFed2023(DatasetSuite):
    dataset = DATASETS["fed2023"]

    def make_source(self, folder: Path) -> Path:
        return write_fed(folder)


class TestAffectNet(DatasetSuite):
    dataset = DATASETS["affectnet"]

    def make_source(self, folder: Path) -> Path:
        return write_affectnet(folder)


class TestAffectNetTables(DatasetSuite):
    dataset = DATASETS["affectnet"]

    def make_source(self, folder: Path) -> Path:
        return write_affectnet_tables(folder)


class TestExpW(DatasetSuite):
    dataset = DATASETS["expw"]

    def make_source(self, folder: Path) -> Path:
        return write_expw(folder)


class TestFerg(DatasetSuite):
    dataset = DATASETS["ferg"]

    def make_source(self, folder: Path) -> Path:
        return write_ferg(folder)


class TestMuxspace(DatasetSuite):
    dataset = DATASETS["muxspace"]

    def make_source(self, folder: Path) -> Path:
        return write_muxspace(folder)


def test_every_row_of_the_table_has_a_tree_here() -> None:
    assert set(WRITERS) == set(DATASETS)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_classes_have_canonical_names_and_every_figure_belongs_to_one(layout) -> None:
    assert set(layout.classes) <= set(CANONICAL)
    for counts in layout.figures.values():
        assert isinstance(counts, int) or set(counts) == set(layout.classes)


@pytest.mark.parametrize(
    ("name", "total"),
    [("oahega", 15_453), ("fed2023", 2_002), ("affectnet", 291_651), ("expw", 91_793), ("muxspace", 13_690)],
)
def test_published_figures_sum_up(name: str, total: int) -> None:
    assert sum(sum(counts.values()) for counts in DATASETS[name].layout.figures.values()) == total


def prepared(name: str, source: Path, **options: int) -> Prepared:
    return prepare(DATASETS[name], source, options, source.parent / "prepared")


def labels_of(made: Prepared) -> list[str]:
    return [made.class_names[k] for k in made.columns["label"].tolist()]


def classes_by_part(name: str, made: Prepared, **params: int | str) -> dict[str, dict[str, int]]:
    return {part: facts["per_class"] for part, facts in show(DATASETS[name], made, params)["splits"].items()}


@pytest.mark.parametrize("name", ["oahega", "fed2023", "affectnet", "expw", "ferg", "muxspace"])
def test_counts_that_are_not_the_published_ones_are_reported(tmp_path: Path, name: str) -> None:
    findings = prepared(name, WRITERS[name](tmp_path / "source")).findings
    assert any(line.startswith("expected ") and ", found " in line for line in findings)


def test_the_class_for_adults_is_left_out_by_default(tmp_path: Path) -> None:
    made = prepared("oahega", write_oahega(tmp_path / "source"))
    five = classes_by_part("oahega", made)["train"]
    assert list(five) == ["neutral", "happiness", "surprise", "sadness", "anger"]
    assert len(classes_by_part("oahega", made, ahegao="include")["train"]) == 6
    loaded = load(DATASETS["oahega"], made, {}, with_test=True)
    rows = np.concatenate(list(loaded.indices.values()))
    assert len(rows) == 40
    assert not any("Ahegao" in name for name in made.columns["name"][rows].tolist())


def test_agree_and_think_get_their_nouns_and_the_split_is_used(tmp_path: Path) -> None:
    made = prepared("fed2023", write_fed(tmp_path / "source"))
    folders = [str(Path(name).parent) for name in made.columns["name"].tolist()]
    renamed = dict(zip(folders, labels_of(made), strict=True))
    assert renamed["train/Agree"] == "amenability"
    assert renamed["test/Think"] == "concentration"
    counts = {part: sum(per_class.values()) for part, per_class in classes_by_part("fed2023", made).items()}
    assert counts == {"train": 28, "valid": 4, "test": 8}


def test_a_single_root_of_class_folders_is_drawn_and_held_against_the_whole(tmp_path: Path) -> None:
    write_fed(tmp_path / "source")
    made = prepared("fed2023", tmp_path / "source" / "train")
    assert set(made.columns["split"].tolist()) == {-2}
    assert made.findings[0].startswith("expected 2,002 images, found 32; expected amenability 428 (found 8)")


def test_an_unknown_class_folder_names_the_nearest_word(tmp_path: Path) -> None:
    source = write_fed(tmp_path / "source")
    (source / "train" / "Agree").rename(source / "train" / "Agreemant")
    with pytest.raises(DataError) as caught:
        prepared("fed2023", source)
    assert caught.value.message == f"{source / 'train' / 'Agreemant'}: unknown label 'Agreemant'"
    assert "did you mean 'agreement'?" in caught.value.hint


def test_a_class_of_another_dataset_is_refused(tmp_path: Path) -> None:
    source = write_oahega(tmp_path / "source")
    noise(source / "dataset" / "Contempt" / "a.jpg", 1)
    with pytest.raises(DataError, match="'Contempt' is not a class of oahega"):
        prepared("oahega", source)


AFFECTNET = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")


def test_expw_cuts_each_face_out_and_keeps_the_faces_of_a_photo_together(tmp_path: Path) -> None:
    made = prepared("expw", write_expw(tmp_path / "source"), image_size=20, channels=3)
    photo = np.asarray(Image.open(tmp_path / "source" / "image" / "photo 0.jpg"))
    assert np.array_equal(made.images[1], photo[:, 20:].transpose(2, 0, 1))
    assert labels_of(made)[:2] == ["anger", "disgust"]
    loaded = load(DATASETS["expw"], made, {}, with_test=True)
    photos = [set(made.columns["subject"][rows].tolist()) for rows in loaded.indices.values()]
    assert sum(map(len, photos)) == 21


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("photo 0.jpg 0 0 0 20 20 95.5 7", "unknown emotion code '7'"),
        ("photo.jpg 0 0", "3 columns, expected 8"),
        ("photo 0.jpg 0 0 20 20 20 95.5 1", "box 20,0,20,20 is empty"),
        ("photo 0.jpg 0 a 20 20 20 95.5 1", "box 20,a,20,20 is not four numbers"),
    ],
)
def test_a_wrong_line_of_expw_is_named(tmp_path: Path, line: str, message: str) -> None:
    source = write_expw(tmp_path / "source")
    (source / "label.lst").write_text(line)
    with pytest.raises(DataError) as caught:
        prepared("expw", source)
    assert caught.value.message == f"{source / 'label.lst'} line 1: {message}"


def test_a_box_outside_its_photo_is_named(tmp_path: Path) -> None:
    source = write_expw(tmp_path / "source")
    (source / "label.lst").write_text("photo 0.jpg 0 0 50 60 20 95.5 1")
    with pytest.raises(DataError, match=r"box \(50, 0, 60, 20\) lies outside image .*photo 0.jpg, which is 40x20"):
        prepared("expw", source)


def test_ferg_groups_by_character_and_joy_is_happiness(tmp_path: Path) -> None:
    made = prepared("ferg", write_ferg(tmp_path / "source"))
    names = made.columns["name"].tolist()
    assert {word for word, name in zip(labels_of(made), names, strict=True) if "_joy" in name} == {"happiness"}
    loaded = load(DATASETS["ferg"], made, {}, with_test=True)
    who = [set(made.columns["subject"][rows].tolist()) for rows in loaded.indices.values()]
    assert sum(map(len, who)) == len(set.union(*who)) == 6


def test_muxspace_labels_are_read_whatever_their_case(tmp_path: Path) -> None:
    made = prepared("muxspace", write_muxspace(tmp_path / "source"))
    assert Counter(labels_of(made)) == dict.fromkeys(made.class_names, 6)


def test_images_that_a_list_names_and_does_not_name_are_reported(tmp_path: Path) -> None:
    source = write_muxspace(tmp_path / "source")
    noise(source / "images" / "stranger.jpg", 1)
    assert any("1 files in" in line and "stranger.jpg" in line for line in prepared("muxspace", source).findings)
    (source / "images" / "anger_0.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 48 images that .*legend.csv names are missing.*anger_0.jpg"):
        prepared("muxspace", source)


def test_an_unknown_label_names_its_line_and_the_nearest_word(tmp_path: Path) -> None:
    source = write_muxspace(tmp_path / "source")
    table = source / "data" / "legend.csv"
    table.write_text(table.read_text().replace("0,anger_0.jpg,anger", "0,anger_0.jpg,angyr"))
    with pytest.raises(DataError) as caught:
        prepared("muxspace", source)
    assert caught.value.message == f"{table} line 2: unknown label 'angyr'"
    assert "did you mean 'angry'?" in caught.value.hint


def test_duplicates_between_parts_are_reported(tmp_path: Path) -> None:
    source = write_affectnet(tmp_path / "source")
    (source / "val_set" / "images" / "0.jpg").write_bytes((source / "train_set" / "images" / "0.jpg").read_bytes())
    report = verify(DATASETS["affectnet"], prepared("affectnet", source), {})
    assert "leakage: 1 valid images also occur in train" in report.findings


def test_a_list_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    table = write_expw(tmp_path / "source") / "label.lst"
    before = prepare(DATASETS["expw"], tmp_path / "source", {}, tmp_path / "p").columns["label"].tolist()
    table.write_text(table.read_text(), encoding="utf-8-sig")
    assert prepare(DATASETS["expw"], tmp_path / "source", {}, tmp_path / "p").columns["label"].tolist() == before


def test_expw_codes_that_run_from_1_are_refused(tmp_path: Path) -> None:
    table = write_expw(tmp_path / "source") / "label.lst"
    lines = [line.rsplit(maxsplit=1) for line in table.read_text().splitlines()]
    table.write_text("\n".join(f"{rest} {int(code) + 1}" for rest, code in lines))
    with pytest.raises(DataError, match="emotion code 7 and no 0: these codes run from 1"):
        DATASETS["expw"].files(tmp_path / "source")


def test_a_split_in_muxspace_legend_is_used(tmp_path: Path) -> None:
    table = next(write_muxspace(tmp_path / "source").glob("**/legend.csv"))
    head, *rows = table.read_text().splitlines()
    parts = ("Training", "PublicTest", "PrivateTest")
    table.write_text("\n".join([f"{head},set", *(f"{row},{parts[k % 3]}" for k, row in enumerate(rows))]))
    result = prepare(DATASETS["muxspace"], tmp_path / "source", {}, tmp_path / "p").columns["split"].tolist()
    assert result[:6] == [0, 1, 2, 0, 1, 2]


def test_an_emotion_that_is_missing_is_named_with_its_line(tmp_path: Path) -> None:
    table = next(write_muxspace(tmp_path / "source").glob("**/legend.csv"))
    table.write_text(table.read_text().replace(",anger\n", ",NA\n", 1))
    with pytest.raises(DataError, match="line 2: emotion is 'NA', which marks a missing value"):
        DATASETS["muxspace"].files(tmp_path / "source")


def test_images_that_a_legend_lists_twice_are_reported(tmp_path: Path) -> None:
    table = next(write_muxspace(tmp_path / "source").glob("**/legend.csv"))
    table.write_text(f"{table.read_text()}\n9,anger_0.jpg,sadness\n9,anger_1.jpg,anger\n")
    finding = "2 images are listed more than once, 1 of them with two labels: anger_0.jpg"
    assert finding in prepare(DATASETS["muxspace"], tmp_path / "source", {}, tmp_path / "p").findings
