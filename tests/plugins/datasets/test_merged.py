"""Several datasets as one: whose image, which class, which part."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from fersearch_datasets.faces import Faces
from fersearch_datasets.imagefolder import ImageFolder
from fersearch_datasets.layouts import LAYOUTS, FromLayout
from fersearch_datasets.manifest import Manifest
from fersearch_datasets.merged import Merged
from fersearch_datasets.rafdb import FIGURES, RafDb
from PIL import Image

from fersearch import DataError, registry
from fersearch.data.arrays import load, prepare
from fersearch.data.locate import remember
from fersearch.data.prepared import Prepared
from fersearch.data.verify import show, verify
from fersearch.testing import DatasetSuite

KNOWN = [RafDb(), ImageFolder(), Manifest(), Faces(), *map(FromLayout, LAYOUTS)]
RAFDB = """
[[part]]
dataset = "rafdb"
data = "rafdb"
"""
BOTH = f"""{RAFDB}
[[part]]
dataset = "fed2023"
data = "fed"
"""


def merged() -> Merged:
    return Merged({dataset.name: dataset for dataset in KNOWN})


def noise(path: Path, seed: int, size: int = 20) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)).save(path)


def write_rafdb(root: Path, train: int = 5, test: int = 1) -> None:
    for seed, (part, n) in enumerate((("train", train), ("test", test))):
        for code in range(1, 8):
            for k in range(n):
                noise(root / part / str(code) / f"{part}_{code}{k}.png", 1000 * seed + 10 * code + k)


def write_fed(root: Path, train: int = 5, test: int = 1) -> None:
    for seed, (part, n) in enumerate((("train", train), ("test", test))):
        for code, label in enumerate(("Agree", "Aversion", "Confusion", "Think")):
            for k in range(n):
                noise(root / part / label / f"{k}.png", 5000 + 1000 * seed + 10 * code + k, 30)


def write_merged(root: Path, text: str = BOTH) -> Path:
    """The file and two small sources beside it."""
    write_rafdb(root / "rafdb")
    write_fed(root / "fed")
    (root / "merged.toml").write_text(text)
    return root / "merged.toml"


def write_people(root: Path, name: str, who: str, seed: int) -> str:
    rows = ["image,label,subject"]
    for k in range(12):
        rows.append(f"{k}.png,{('happy', 'sad', 'angry')[k % 3]},{who}{k // 3}")
        noise(root / name / f"{k}.png", seed + k)
    (root / name / "faces.csv").write_text("\n".join(rows))
    return f'[[part]]\ndataset = "manifest"\ndata = "{name}"\nname = "{name}"\n'


class TestMerged(DatasetSuite):
    dataset = merged()

    def make_source(self, folder: Path) -> Path:
        return write_merged(folder, 'scheme = "basic7"\n' + RAFDB + write_people(folder, "one", "p", 100))


def prepared(source: Path, **options: int) -> Prepared:
    return prepare(merged(), source, options, source.parent / "prepared")


def counts(made: Prepared, scheme: str = "file") -> dict[str, dict[str, int]]:
    splits = show(merged(), made, {"scheme": scheme})["splits"]
    return {part: facts["per_class"] for part, facts in splits.items()}


def test_every_label_is_taught_where_no_scheme_is_named(tmp_path: Path) -> None:
    taught = counts(prepared(write_merged(tmp_path)))
    assert list(taught["train"]) == [
        *("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear"),
        *("amenability", "concentration", "confusion", "aversion"),
    ]
    assert {part: sum(classes.values()) for part, classes in taught.items()} == {"train": 44, "valid": 11, "test": 11}


def test_the_scheme_of_the_file_is_the_default_and_another_makes_no_second_copy(tmp_path: Path) -> None:
    source = write_merged(tmp_path, 'scheme = "s003_4"\n' + BOTH)
    made = prepared(source)
    assert {part: list(classes.values()) for part, classes in counts(made).items()} == {
        "train": [4, 8, 4, 4],
        "valid": [1, 2, 1, 1],
        "test": [1, 2, 1, 1],
    }
    assert list(counts(made)["train"]) == ["anger", "engaged", "happiness", "neutral"]
    assert list(counts(made, "valence3")["train"]) == ["negative", "neutral", "positive"]
    assert len(list((tmp_path / "prepared" / "merged").glob("*/meta.json"))) == 1


def test_each_image_keeps_its_source_and_its_official_part(tmp_path: Path) -> None:
    made = prepared(write_merged(tmp_path))
    assert Counter(made.columns["source"].tolist()) == {"rafdb": 42, "fed2023": 24}
    assert made.columns["name"][0] == "rafdb/train/1/train_10.png"
    loaded = load(merged(), made, {}, with_test=True)
    tested = made.columns["name"][loaded.indices["test"]].tolist()
    assert all("/test/" in name for name in tested)
    assert Counter(loaded.source[loaded.indices["test"]].tolist()) == {"rafdb": 7, "fed2023": 4}


def test_images_are_those_of_the_parts_in_the_requested_size(tmp_path: Path) -> None:
    made = prepared(write_merged(tmp_path), image_size=20, channels=3)
    alone = prepare(RafDb(), tmp_path / "rafdb", {"image_size": 20, "channels": 3}, tmp_path / "alone")
    assert np.array_equal(made.images[:42], alone.images)
    assert made.images.shape == (66, 3, 20, 20)


def test_a_part_may_rename_and_drop_its_labels(tmp_path: Path) -> None:
    text = BOTH + 'labels = { Agree = "Happy", confusion = "", aversion = "bored" }'
    made = prepared(write_merged(tmp_path, text))
    taught = counts(made)["train"]
    assert taught["happiness"] == 8
    assert taught["bored"] == 4
    assert not {"amenability", "confusion", "aversion"} & set(taught)
    assert any(line.startswith("fed2023: 'bored' is not a label of a fixed scheme") for line in made.findings)


def test_what_a_fixed_scheme_does_not_name_is_dropped(tmp_path: Path) -> None:
    made = prepared(write_merged(tmp_path, BOTH + 'labels = { aversion = "bored" }'))
    assert set(counts(made, "basic7")["train"]) == {
        *("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear")
    }


def test_equal_subjects_of_two_sources_are_two_people(tmp_path: Path) -> None:
    text = write_people(tmp_path, "one", "p", 0) + write_people(tmp_path, "two", "p", 100)
    (tmp_path / "merged.toml").write_text(text)
    made = prepared(tmp_path / "merged.toml")
    assert {"one:p0", "two:p0"} <= set(made.columns["subject"].tolist())
    loaded = load(merged(), made, {}, with_test=True)
    people = [set(made.columns["subject"][rows].tolist()) for rows in loaded.indices.values()]
    assert sum(map(len, people)) == len(set.union(*people)) == 8


def test_intersection_is_what_every_source_has(tmp_path: Path) -> None:
    text = BOTH.replace("fed2023", "imagefolder").replace('"fed"', '"mine"')
    for label in ("Happy", "NE", "Contempt"):
        for k in range(4):
            noise(tmp_path / "mine" / label / f"{k}.png", 9000 + 10 * len(label) + k)
    made = prepared(write_merged(tmp_path, text))
    assert list(counts(made, "intersection")["train"]) == ["neutral", "happiness"]


def test_sources_with_nothing_in_common_are_refused_with_what_each_has(tmp_path: Path) -> None:
    made = prepared(write_merged(tmp_path))
    with pytest.raises(DataError) as caught:
        load(merged(), made, {"scheme": "intersection"})
    assert caught.value.message == "scheme intersection leaves 0 of the sources' classes"
    assert "fed2023 has amenability, concentration, confusion, aversion" in caught.value.hint


def test_built_in_faces_can_be_a_part_and_votes_count_by_majority(tmp_path: Path) -> None:
    text = BOTH + '[[part]]\ndataset = "faces"\noptions = { train = 20, valid = 10, test = 10, hardness = 1 }\n'
    made = prepared(write_merged(tmp_path, text))
    assert Counter(made.columns["source"].tolist())["faces"] == 40
    assert load(merged(), made, {}).soft is None


def test_a_part_without_data_is_located_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "home"))
    source = write_merged(tmp_path, BOTH.replace('data = "fed"', ""))
    remember(merged().datasets["fed2023"], tmp_path / "fed")
    assert prepared(source).count == 66


def test_a_part_whose_name_alone_finds_nothing_says_so(tmp_path: Path) -> None:
    source = write_merged(tmp_path, BOTH + '[[part]]\ndataset = "imagefolder"\n')
    with pytest.raises(DataError, match=r"part\[3\]\.data: missing: the name imagefolder does not say where it is"):
        prepared(source)


def test_a_changed_image_of_a_part_makes_another_copy(tmp_path: Path) -> None:
    source = write_merged(tmp_path)
    first = prepared(source)
    noise(tmp_path / "fed" / "test" / "Agree" / "0.png", 77, 31)
    assert prepared(source).folder != first.folder


def test_a_class_of_one_source_alone_and_what_the_source_gives_away_are_reported(tmp_path: Path) -> None:
    made = prepared(write_merged(tmp_path, 'scheme = "s003_4"\n' + BOTH))
    shown = show(merged(), made, {})
    assert shown["sources"]["fed2023"] == {
        "n": 12,
        "splits": {"train": 8, "valid": 2, "test": 2},
        "per_class": {"anger": 0, "engaged": 12, "happiness": 0, "neutral": 0},
        "baseline": 1.0,
    }
    assert shown["sources"]["rafdb"]["baseline"] == pytest.approx(1 / 3)
    assert shown["findings"] == [
        "classes anger, happiness, neutral come from rafdb alone: a model can learn the camera instead of the face",
        "class engaged comes from fed2023 alone: a model can learn the camera instead of the face",
        "knowing only the source, 60.0% of valid are classified correctly (majority-class baseline 40.0%)",
    ]


def test_a_class_that_no_source_has_is_reported(tmp_path: Path) -> None:
    made = prepared(write_merged(tmp_path))
    assert "no source has an image of contempt" in show(merged(), made, {"scheme": "ferplus8"})["findings"]
    report = verify(merged(), made, {"scheme": "ferplus8"})
    assert "train has no image of contempt" in report.findings
    assert "source fed2023 brings no image of any class" in " ".join(report.findings)


def test_an_image_that_two_sources_share_is_reported(tmp_path: Path) -> None:
    source = write_merged(tmp_path)
    copy = (tmp_path / "rafdb" / "train" / "4" / "train_40.png").read_bytes()
    (tmp_path / "fed" / "test" / "Think" / "0.png").write_bytes(copy)
    findings = verify(merged(), prepared(source), {}).findings
    assert "sources: 1 images are in both fed2023 and rafdb" in findings
    assert any("1 with conflicting labels" in line for line in findings)


def test_findings_of_parts_name_their_source(tmp_path: Path) -> None:
    findings = prepared(write_merged(tmp_path)).findings
    assert any(line.startswith("rafdb: expected 12,271 train images, found 35") for line in findings)
    assert any(line.startswith("fed2023: 24 images were converted to 48x48 grey") for line in findings)


def refusal(source: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        prepared(source)
    return caught.value


def test_all_mistakes_of_a_file_are_reported_at_once_with_their_keys(tmp_path: Path) -> None:
    text = """
scheme = "basic"
colour = 3
[[part]]
dataset = "rafbd"
[[part]]
data = "fed"
[[part]]
dataset = "fed2023"
data = "nowhere"
[[part]]
dataset = "rafdb"
data = "rafdb"
options = { image = "aligned", channels = 3, images = "cropped" }
labels = ["anger"]
[[part]]
dataset = "rafdb"
data = "rafdb"
name = "a b"
lables = {}
"""
    error = refusal(write_merged(tmp_path, text))
    assert error.message == f"{tmp_path / 'merged.toml'}: 11 mistakes"
    keys = [line.split(": ")[0].strip() for line in error.hint.splitlines()]
    assert keys == [
        "colour",
        "scheme",
        "part[1].dataset",
        "part[2].dataset",
        "part[3].data",
        "part[4].options.image",
        "part[4].options.channels",
        "part[4].options.images",
        "part[4].labels",
        "part[5].lables",
        "part[5].name",
    ]
    assert "did you mean 'rafdb'?" in error.hint
    assert "did you mean 'images'?" in error.hint


def test_two_parts_of_one_name_are_refused(tmp_path: Path) -> None:
    error = refusal(write_merged(tmp_path, BOTH + BOTH))
    assert "part[3].name: a second part is called 'rafdb'" in error.hint
    assert "part[4].name: a second part is called 'fed2023'" in error.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "part: none; write a table [[part]]"),
        ("part = 3", "part: none; write a table [[part]]"),
        ('[[part]]\ndataset = "merged"', "part[1].dataset: unknown dataset 'merged'"),
        ('[[part]]\ndataset = "manifest"\ndata = "fed"\nname = "x:y"', "part[1].name: 'x:y' is not a valid name"),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, text: str, message: str) -> None:
    assert message in refusal(write_merged(tmp_path, text)).hint


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    source = write_merged(tmp_path, "[[part]\n")
    assert refusal(source).message.startswith(f"{source} is not TOML: ")


def test_the_only_toml_of_a_folder_is_used_and_two_are_refused(tmp_path: Path) -> None:
    write_merged(tmp_path)
    assert merged().files(tmp_path)[0] == tmp_path / "merged.toml"
    (tmp_path / "other.toml").write_text(BOTH)
    with pytest.raises(DataError, match=r"no single TOML file in .*: it holds 2: "):
        merged().files(tmp_path)


def test_broken_parts_are_reported_together_each_with_its_key(tmp_path: Path) -> None:
    source = write_merged(tmp_path)
    for folder in ("rafdb/test", "fed/train"):
        (tmp_path / folder).rename(tmp_path / folder.replace("/", "-"))
    error = refusal(source)
    assert error.message == f"{source}: 2 mistakes"
    assert [line.split(": ")[0].strip() for line in error.hint.splitlines()] == ["part[1]", "part[2]"]


def test_an_unknown_label_of_a_part_names_the_nearest_and_can_be_renamed(tmp_path: Path) -> None:
    text = BOTH.replace("fed2023", "imagefolder").replace('"fed"', '"mine"')
    for label in ("happyness", "sad"):
        for k in range(3):
            noise(tmp_path / "mine" / label / f"{k}.png", 9000 + 10 * len(label) + k)
    error = refusal(write_merged(tmp_path, text))
    assert "part[2]: unknown label 'happyness'; did you mean 'happiness'?" in error.hint
    (tmp_path / "merged.toml").write_text(text + 'labels = { happyness = "happiness" }')
    assert counts(prepared(tmp_path / "merged.toml"))["train"]["happiness"] > 4


def test_a_renaming_of_a_class_that_a_part_does_not_have_is_refused(tmp_path: Path) -> None:
    error = refusal(write_merged(tmp_path, BOTH + 'labels = { confused = "", boredom = "" }'))
    assert "part[2]: labels.boredom: fed2023 has no such class; its classes: amenability, aversion" in error.hint


def test_the_whole_sources_of_the_four_class_study_are_31_589_images() -> None:
    figures = {layout.name: layout.figures for layout in LAYOUTS} | {"rafdb": FIGURES}
    totals = {
        name: sum(n for counts in figures[name].values() for word, n in counts.items() if word != "ahegao")
        for name in ("rafdb", "oahega", "fed2023")
    }
    assert totals == {"rafdb": 15_339, "oahega": 14_248, "fed2023": 2_002}
    assert sum(totals.values()) == 31_589
    engaged = [counts[word] for counts in figures["fed2023"].values() for word in ("amenability", "concentration")]
    assert sum(engaged) == 860


def test_the_registry_lets_it_know_the_other_datasets() -> None:
    result = registry.load()
    known = result.dataset("merged").datasets
    assert "rafdb" in known
    assert "merged" not in known


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    file = write_merged(tmp_path / "source")
    before = prepare(merged(), file, {}, tmp_path / "p").columns["name"].tolist()
    file.write_text(file.read_text(), encoding="utf-8-sig")
    assert prepare(merged(), file, {}, tmp_path / "p").columns["name"].tolist() == before
