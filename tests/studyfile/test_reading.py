"""One wrong study file per complaint, the whole message compared."""

from pathlib import Path

import pytest

from fersearch.errors import StudyFileError, UsageError
from fersearch.studyfile import reading

TOP = (
    "data, dataset, epochs, from, keep, latency_on, limit, memory_format, model, name, objectives, one_study, plugins, "
    "precision, protocol, pruner, recipes, refit, sampler, seed, space, stop_when_flat, timeout, trials, unseen, "
    "weights, where"
)
SETTING = "write a value, a list of values, 'LOW..HIGH' or {low, high}"

COMPLAINTS = [
    ("trails = 3", f"trails: unknown key; did you mean 'trials'? known: {TOP}"),
    ("learning_rate = 0.1", "learning_rate: a parameter of the search space; write it under [space]"),
    ("model = 7", "model: 7 is not text; put it in quotes"),
    ("trials = 0", "trials: 0 is not above 0"),
    ("one_study = 'yes'", "one_study: 'yes' is neither true nor false"),
    ("limit = 2.5", "limit: 2.5 is not a whole number"),
    ("seed = '4'", "seed: '4' is not a whole number"),
    ("timeout = '2x'", "timeout: '2x' is not a duration; write 90, 90s, 55m or 2h"),
    ("precision = 'bf17'", "precision: 'bf17' is not offered; did you mean 'bf16'? offered: auto, bf16, float32"),
    ("memory_format = 'nhwc'", "memory_format: 'nhwc' is not offered; offered: auto, channels_last, contiguous"),
    ("objectives = []", "objectives: [] needs 1 values"),
    ("objectives = ['f1_macro', 3]", "objectives.1: 3 is not text; put it in quotes"),
    ("space = 3", "space: 3 is not a table"),
    ("[space]\nmomentum = []", f"space.momentum: [] is not a setting; {SETTING}"),
    ("[space]\nmomentum = {low = 0.1, hi = 1}", f"space.momentum: {{low = 0.1, hi = 1}} is not a setting; {SETTING}"),
    ("[dataset]\nnam = 'faces'", "dataset.nam: unknown key; did you mean 'name'? known: data, name, options"),
    ("data = 'x'\n[dataset]\ndata = 'y'", "data: given twice, also as dataset.data; keep one"),
    ("epochs = 3\n[space]\nepochs = 4", "epochs: given twice, also as space.epochs; keep one"),
    (
        "[protocol]\nsplit = 'offical'",
        "protocol.split: 'offical' is not offered; did you mean 'official'? "
        "offered: auto, kfold, loso, official, ratios",
    ),
    ("[protocol]\nratios = [0.8, 0.2]", "protocol.ratios: [0.8, 0.2] needs 3 values"),
    (
        "[protocol]\nratios = [0.8, 0.3, 0.2]",
        "protocol.ratios: [0.8, 0.3, 0.2] sums to 1.3; the shares of train, valid and test sum to 1",
    ),
    ("[protocol]\nratios = [1.5, -0.5, 0]", "protocol.ratios.0: 1.5 is above 1"),
]


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "study.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(("text", "complaint"), COMPLAINTS)
def test_a_mistake_is_reported_with_its_key(tmp_path, text, complaint):
    assert reading.read(write(tmp_path, text))[1][0] == complaint


def test_all_mistakes_of_a_file_are_reported_at_once_and_the_rest_is_read(tmp_path):
    path = write(tmp_path, "trails = 3\nlimit = -1\nmodel = 'cnn'\n[space]\nmomentum = []\ndropout = 0.1\n")
    file, mistakes = reading.read(path)
    assert mistakes == [
        "limit: -1 is below 10",
        f"space.momentum: [] is not a setting; {SETTING}",
        f"trails: unknown key; did you mean 'trials'? known: {TOP}",
    ]
    assert (file.models, file.options) == (("cnn",), {"settings": {"dropout": "0.1"}})


def test_a_file_that_is_no_toml_says_where(tmp_path):
    with pytest.raises(StudyFileError, match=r"not TOML: .*line 2"):
        reading.read(write(tmp_path, "model = 'cnn'\ntrials = = 3\n"))


def test_a_missing_file_names_the_nearest(tmp_path):
    (tmp_path / "smoke.toml").touch()
    with pytest.raises(UsageError, match=r"no study file .*smok.toml\n  did you mean 'smoke.toml'\?"):
        reading.read(tmp_path / "smok.toml")


def test_a_whole_file_becomes_the_keywords_of_create_study(tmp_path):
    path = write(
        tmp_path,
        """
        name = "mine"
        model = "cnn"
        data = "faces"
        objectives = "f1_macro"
        trials = 5
        timeout = "25m"
        epochs = "2..4"
        limit = 100
        seed = 1
        sampler = "random"
        pruner = "none"
        weights = "imagenet"
        precision = "bf16"
        refit = 5
        unseen = "jaffe"
        plugins = ["mine.py"]
        [dataset]
        name = "ferplus"
        options = { classes = 10 }
        [protocol]
        split = "kfold"
        by = "class"
        folds = 3
        repeats = 2
        duplicates = "drop"
        ratios = [0.8, 0.1, 0.1]
        seed = 7
        [space]
        optimizer = ["sgd", "adam"]
        learning_rate = { low = 1e-3, high = 0.1 }
        momentum = "0.8..0.9"
        nesterov = true
        weight_decay = 0
        """,
    )
    file, mistakes = reading.read(path)
    assert mistakes == []
    assert file.plugins == (tmp_path / "mine.py",)
    assert file.models == ("cnn",)
    assert file.datasets == ({"dataset": "ferplus", "dataset_options": {"classes": "10"}, "data": tmp_path / "faces"},)
    assert file.options == {
        "name": "mine",
        "objectives": ["f1_macro"],
        "trials": 5,
        "timeout": 1500.0,
        "epochs": "2..4",
        "limit": 100,
        "seed": 1,
        "sampler": "random",
        "pruner": "none",
        "weights": "imagenet",
        "precision": "bf16",
        "refit": 5,
        "unseen": ["jaffe"],
        "split": "kfold",
        "by": "class",
        "folds": 3,
        "repeats": 2,
        "duplicates": "drop",
        "ratios": (0.8, 0.1, 0.1),
        "split_seed": 7,
        "settings": {
            "optimizer": "sgd,adam",
            "learning_rate": "0.001..0.1",
            "momentum": "0.8..0.9",
            "nesterov": "true",
            "weight_decay": "0",
        },
    }


def test_one_study_takes_all_models_together_and_their_own_settings_by_table(tmp_path):
    text = """
        model = ["cnn", "zoo:net.v1"]
        one_study = true
        [space]
        dropout = { low = 0, high = 0.5 }
        cnn.width = [1, 4]
        ["space"."zoo:net.v1"]
        depth = { low = 2, high = 4 }
    """
    file, mistakes = reading.read(write(tmp_path, text))
    settings = {"dropout": "0..0.5", "cnn.width": "1,4", "zoo:net.v1.depth": "2..4"}
    assert mistakes == []
    assert file.studies({}) == [{"model": "cnn,zoo:net.v1", "one_study": True, "settings": settings}]
    assert file.studies({"model": "cnn,vgg16"})[0]["model"] == "cnn,vgg16"


def test_a_list_of_models_is_one_study_only_on_request(tmp_path):
    file, _ = reading.read(write(tmp_path, "model = ['cnn', 'vgg16']\ndataset = 'faces'"))
    assert [one["name"] for one in file.studies({})] == ["study/cnn", "study/vgg16"]
    assert file.studies({"one_study": True}) == [{"model": "cnn,vgg16", "dataset": "faces", "one_study": True}]


def test_flags_override_the_file_one_by_one(tmp_path):
    text = "model='cnn'\ndataset='faces'\ntrials=5\nepochs=3\n[space]\nbatch_size=32\nloss='focal'"
    file, _ = reading.read(write(tmp_path, text))
    (merged,) = file.studies({"trials": 9, "timeout": None, "objectives": (), "settings": {"batch_size": "64"}})
    assert merged == {
        "model": "cnn",
        "dataset": "faces",
        "trials": 9,
        "epochs": "3",
        "settings": {"batch_size": "64", "loss": "focal"},
    }


def test_epochs_as_a_setting_override_the_files_epochs(tmp_path):
    file, _ = reading.read(write(tmp_path, "epochs=3"))
    assert file.studies({"settings": {"epochs": "5"}}) == [{"settings": {"epochs": "5"}}]


def test_another_dataset_by_flag_leaves_the_files_folder_and_options_behind(tmp_path):
    text = "model='cnn'\n[dataset]\nname='ferplus'\ndata='x'\noptions={classes=10}"
    studies = reading.read(write(tmp_path, text))[0].studies({"dataset": "faces"})
    assert studies == [{"model": "cnn", "dataset": "faces"}]


@pytest.mark.parametrize(
    ("flags", "merged"),
    [
        ({"split": "ratios"}, {"split": "ratios"}),
        ({"split": "kfold"}, {"split": "kfold", "folds": 3}),
        ({"split": None}, {"split": "kfold", "folds": 3}),
        ({"split": "ratios", "folds": 4}, {"split": "ratios", "folds": 4}),
    ],
)
def test_another_split_by_flag_leaves_the_files_folds_behind(tmp_path, flags, merged):
    file, _ = reading.read(write(tmp_path, "[protocol]\nsplit='kfold'\nfolds=3"))
    assert file.studies(flags) == [merged]


SEVERAL = """
name = "grid"
model = ["cnn", "sanet"]
trials = 4
[[dataset]]
name = "ckplus"
data = "ck"
[[dataset]]
name = "kdef"
options = { channels = 3 }
"""


def test_several_models_and_datasets_make_a_study_each(tmp_path):
    studies = reading.read(write(tmp_path, SEVERAL))[0].studies({"trials": 2})
    assert [study["name"] for study in studies] == [
        "grid/cnn/ckplus",
        "grid/cnn/kdef",
        "grid/sanet/ckplus",
        "grid/sanet/kdef",
    ]
    assert studies[1] == {
        "name": "grid/cnn/kdef",
        "model": "cnn",
        "dataset": "kdef",
        "dataset_options": {"channels": "3"},
        "trials": 2,
    }
    assert studies[0]["data"] == tmp_path / "ck"


def test_a_flag_goes_before_all_that_the_file_lists(tmp_path):
    file, _ = reading.read(write(tmp_path, SEVERAL))
    assert [study["name"] for study in file.studies({"dataset": "faces"})] == ["grid/cnn", "grid/sanet"]
    assert [study["name"] for study in file.studies({"model": "vgg16", "dataset": "kdef"})] == ["grid"]
    assert file.studies({"dataset": "kdef"})[0]["dataset_options"] == {"channels": "3"}


def test_several_studies_without_a_name_are_called_by_the_file(tmp_path):
    file, _ = reading.read(write(tmp_path, "dataset = ['ckplus', 'kdef']"))
    assert [study["name"] for study in file.studies({})] == ["study/ckplus", "study/kdef"]


def test_a_mistake_in_one_of_several_datasets_says_in_which(tmp_path):
    text = "[[dataset]]\nname = 'kdef'\n[[dataset]]\nnam = 'faces'\n"
    assert reading.read(write(tmp_path, text))[1] == [
        "dataset.1.nam: unknown key; did you mean 'name'? known: data, name, options"
    ]
    text = "data = 'x'\ndataset = ['a', 'b']"
    assert reading.read(write(tmp_path, text))[1] == [
        "data: one folder for several datasets; write it into each [[dataset]]"
    ]
