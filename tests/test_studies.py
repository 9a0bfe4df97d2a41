"""The study files are sound: each is planned against the components, and its trials are the points of its grid."""

from itertools import product
from pathlib import Path

import pytest
from fersearch_datasets import _merged_file as merged_file

from fersearch import api, registry
from fersearch.search.samplers import OneFactorAtATime
from fersearch.study import StudySpec

FOLDER = Path(__file__).parent.parent / "studies"
FILES = sorted(FOLDER.glob("*.toml"))
THESIS = ("cnn_umoru", "sanet", "vgg16", "resnet50")
THESIS_DATA = ("ckplus", "fer2013", "kdef", "nhfi")
STUDIES = {  # the studies of each file, and the configurations of each of them, None where there is no end of them
    "ckplus-tenfold": (["ckplus-tenfold/vgg19", "ckplus-tenfold/resnet18"], 1),
    "ensembles-epochs": (
        [f"ensembles/{name}" for name in ("resnet18", "vgg19", "ensemble_stack", "ensemble_mean", "ensemble_vote")],
        3,
    ),
    "fer2013-gpu": (["fer2013-gpu"], None),
    "fer2013-hour": (["fer2013-hour"], None),
    "fer2013-khaireddin": (["fer2013-khaireddin"], 10),
    "ferplus": (["ferplus-8"], None),
    "ferplus-freezing": (["ferplus-freezing"], 5),
    "ferplus-report": (["ferplus-report"], None),
    "ferplus-resnet18": (["ferplus-resnet18"], 4),
    "ferplus-sweep": (["ferplus-sweep"], 17),
    "ferplus-targets": (["ferplus-targets/vgg13_ferplus", "ferplus-targets/resnet18"], 4),
    "jaffe-loso": (["jaffe-loso"], 3),
    "merged-four": (["merged-four"], 6),
    "smoke": (["smoke"], None),
    "thesis-final": ([f"thesis-final/{model}" for model in THESIS], 1),
    "thesis-grid": ([f"thesis/{model}/{data}" for model, data in product(THESIS, THESIS_DATA)], 4),
    "thesis-keras": ([f"thesis-keras/{data}" for data in THESIS_DATA], 4),
    "transfer-efficientnet": (["transfer-efficientnet"], 2),
    "transfer-resnet50": (["transfer-resnet50"], 1),
    "transfer-sequential": (["transfer-sequential"], 1),
    "transfer-vgg16": (["transfer-vgg16"], 1),
}


def configurations(spec: StudySpec) -> int | None:
    """How many trials a study's sampler has; None if it never ends."""
    if spec.sampler == "ofat":
        sampler, count = OneFactorAtATime(spec.space, ()), 0
        while sampler.ask(count):
            count += 1
        return count
    return spec.space.size()


@pytest.fixture
def without_data(monkeypatch):
    """Plan as if the files of every dataset lay at hand."""
    monkeypatch.setattr("fersearch.planning.parts._source", lambda *_: None)


def test_every_file_is_counted_here():
    assert {path.stem for path in FILES} == set(STUDIES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_makes_its_studies_and_their_trials_are_all_there_are(path, without_data):
    names, count = STUDIES[path.stem]
    specs = api.check_file(path, {})
    assert [spec.name for spec in specs] == names
    for spec in specs:
        assert configurations(spec) == count
        assert count is None or (spec.sampler in ("grid", "ofat") and spec.budget.trials == count)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_sound_on_drawn_faces_shrunk(path):
    shrunk = {"dataset": "faces", "limit": 200, "trials": 2, "epochs": "1"}
    specs = api.check_file(path, shrunk)
    assert {spec.dataset for spec in specs} == {"faces"}
    assert {(spec.limit, spec.budget.trials) for spec in specs} == {(200, 2)}
    assert all(spec.space["epochs"].contains(1) for spec in specs)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_says_first_what_it_is_about(path):
    head = path.read_text().splitlines()[:2]
    assert all(line.startswith("# ") for line in head[: 2 if path.stem != "smoke" else 1])


def test_what_the_four_classes_are_merged_from(monkeypatch):
    monkeypatch.setattr(merged_file, "locate", lambda *_: None)
    components = registry.load()
    datasets = {name: components.dataset(name) for name in ("rafdb", "oahega", "fed2023")}
    file = merged_file.read(FOLDER / "merged" / "four-classes.toml", datasets)
    assert (file.scheme, [part.dataset.name for part in file.parts]) == ("s003_4", ["rafdb", "oahega", "fed2023"])
