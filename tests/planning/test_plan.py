"""From a request to a spec: what is refused, in which words, and that all of it is said at once."""

import pytest

from fersearch import Architecture, Choice, Dataset, Float, Metric
from fersearch.errors import StudyFileError, UnknownName, UsageError
from fersearch.planning.plan import StudyRequest, plan, unseen_dataset
from fersearch.registry import Registry
from fersearch.study import Protocol


class Net(Architecture):
    name = "net"
    space = {"width": Choice(8, 16)}
    stage_names = ("body", "middle", "head")
    weights = ("imagenet",)

    def build(self, params, task):
        raise NotImplementedError

    def stages(self, model):
        raise NotImplementedError


class Drawn(Dataset):
    name = "drawn"
    needs_data = False
    options = {"classes": Choice(8, 10, search="8")}
    targets = ("majority", "votes")

    def files(self, source):
        return []

    def read(self, source, options):
        raise NotImplementedError

    def label(self, columns, class_names, params):
        raise NotImplementedError


class Score(Metric):
    name = "f1_macro"

    def compute(self, evaluation):
        raise NotImplementedError


class Seconds(Score):
    name = "train_seconds"
    direction = "min"
    measured = True


class Memory(Seconds):
    name = "peak_memory_mb"


@pytest.fixture
def registry():
    metrics = {metric.name: metric for metric in (Score(), Seconds(), Memory())}
    return Registry({"net": Net()}, {"drawn": Drawn()}, metrics)


def test_a_plain_wish_becomes_the_defaults(registry):
    spec = plan(StudyRequest("net", "drawn"), registry)
    assert spec.name == "net-drawn"
    assert [str(o) for o in spec.objectives] == ["f1_macro:max", "train_seconds:min", "peak_memory_mb:min"]
    assert (spec.sampler, spec.pruner, spec.seed, spec.budget.trials) == ("tpe", "pareto", 0, 20)
    assert spec.dataset_options == {"image_size": 48, "channels": 1, "classes": 8}
    assert spec.space["freeze"].options == ("none",)
    assert spec.space["target"].options == ("majority",)
    assert spec.space["width"].options == (8, 16)


def test_a_spec_survives_the_store(registry):
    spec = plan(StudyRequest("net", "drawn", settings={"learning_rate": "0.01..0.1", "optimizer": "sgd"}), registry)
    assert type(spec).from_json(spec.to_json()) == spec


def test_a_free_name_is_found(registry):
    assert plan(StudyRequest("net", "drawn"), registry, names=["net-drawn", "net-drawn-2"]).name == "net-drawn-3"


def test_pretrained_weights_open_the_freezing_rules(registry):
    spec = plan(StudyRequest("net", "drawn", weights="imagenet"), registry)
    assert spec.space["freeze"].options == ("none", "all_but_last", "all_but_first_and_last", "first_1")


def test_epochs_are_fixed_or_a_range(registry):
    assert plan(StudyRequest("net", "drawn", epochs="7"), registry).space["epochs"].options == (7,)
    ranged = plan(StudyRequest("net", "drawn", epochs="5..9"), registry).space["epochs"]
    assert (ranged.low, ranged.high) == (5, 9)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"architecture": "nte"}, "unknown architecture 'nte'\n  did you mean 'net'? known architectures: net"),
        ({"dataset": "drown"}, "unknown dataset 'drown'\n  did you mean 'drawn'? known datasets: drawn"),
        ({"sampler": "tpee"}, "unknown sampler 'tpee'\n  did you mean 'tpe'?"),
        ({"settings": {"momentun": "0.9"}}, "unknown parameter 'momentun'\n  did you mean 'momentum'?"),
        ({"settings": {"learning_rate": "50"}}, "learning_rate: 50 is not offered\n  offered: 1e-07..10 (log)"),
        ({"settings": {"optimizer": "adam", "momentum": "0.9"}}, "momentum: applies only when optimizer=sgd"),
        ({"objectives": ["f1"]}, "unknown metric 'f1'\n  did you mean 'f1_macro'?"),
        ({"objectives": ["f1_macro:up"]}, "unknown direction 'up'"),
        ({"objectives": ["f1_macro", "f1_macro"]}, "objective 'f1_macro' is given twice"),
        ({"dataset_options": {"classes": "9"}}, "classes: '9' is not offered\n  offered: 8, 10"),
        ({"dataset_options": {"colour": "1"}}, "dataset drawn has no option 'colour'"),
        ({"weights": "imagnet"}, "weights 'imagnet' are neither a file nor a source that net knows"),
        ({"trials": 0}, "trials 0 is too small"),
        ({"name": "a b"}, "'a b' is not a valid name for a study"),
        ({"name": "a\x1b[2Jb"}, "'a\x1b[2Jb' is not a valid name for a study"),
        ({"name": "x" * 201}, "'xxxxxxxxxxxxxxxxxxxx...' is not a valid name for a study: it has 201 characters"),
    ],
)
def test_a_mistake_is_told(registry, asked, told):
    with pytest.raises(UsageError) as caught:
        plan(StudyRequest(**{"architecture": "net", "dataset": "drawn", **asked}), registry)
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize("name", ["a", "wut-ärger", "怒り/1", "खुशी", "v1.2_b+c:d", "x" * 200, "٣"])
def test_a_name_of_any_script_is_taken(registry, name):
    assert plan(StudyRequest("net", "drawn", name=name), registry).name == name


@pytest.mark.parametrize(
    ("name", "meant"),
    [("my study", "my-study"), ("a..b", "a.b"), ("../up", "./up"), ("a\u202eb", "a-b"), ("-x", "x"), ("50%", "50-")],
)
def test_a_name_that_will_not_do_is_refused_with_one_that_does(registry, name, meant):
    with pytest.raises(UsageError, match="is not a valid name for a study") as caught:
        plan(StudyRequest("net", "drawn", name=name), registry)
    assert caught.value.hint == f"use letters, digits, '.', '_', '-', '+', ':' and '/', but no '..'; such as '{meant}'"
    assert plan(StudyRequest("net", "drawn", name=meant), registry).name == meant


def test_all_mistakes_are_told_at_once(registry):
    request = StudyRequest("net", "drown", sampler="x", settings={"batch_size": "0"}, objectives=["f1"], trials=0)
    with pytest.raises(UsageError) as caught:
        plan(request, registry)
    for word in ("'drown'", "'x'", "'f1'", "trials 0", "batch_size: 0"):
        assert word in str(caught.value)


def test_a_files_mistakes_come_with_those_found_in_it_before(registry, tmp_path):
    request = StudyRequest("net", "drawn", settings={"momentun": "0.9", "width": "9"})
    with pytest.raises(StudyFileError) as caught:
        plan(request, registry, file=tmp_path / "study.toml", before=["trails: unknown key"])
    assert [line.partition(":")[0] for line in caught.value.mistakes] == ["trails", "space.momentun", "space.width"]


def test_an_unknown_model_hides_no_mistake_of_the_space(registry, tmp_path):
    settings = {"batch_sise": "32", "width": "9", "frozen_batch_norm": "fixed", "dropout": "2"}
    with pytest.raises(StudyFileError) as caught:
        plan(StudyRequest("nte", "drawn", settings=settings, epochs="three"), registry, file=tmp_path / "study.toml")
    keys = [line.partition(":")[0] for line in caught.value.mistakes]
    assert keys == ["model", "space.batch_sise", "space.dropout", "epochs"]


def test_an_unknown_name_tells_of_broken_plugins(registry):
    registry.broken["x.py"] = "plugin x.py cannot be loaded: SyntaxError: invalid syntax"
    with pytest.raises(UnknownName, match=r"not loaded: plugin x\.py"):
        plan(StudyRequest("tiny", "drawn"), registry)


def test_ratios_and_split_reach_the_protocol(registry):
    spec = plan(StudyRequest("net", "drawn", split="ratios", ratios=(0.6, 0.2, 0.2), split_seed=7), registry)
    assert (spec.protocol.split, spec.protocol.ratios, spec.protocol.split_seed) == ("ratios", (0.6, 0.2, 0.2), 7)


def test_a_parameter_that_depends_on_another_keeps_its_parents_setting(registry):
    spec = plan(StudyRequest("net", "drawn", settings={"optimizer": "sgd", "momentum": "0.9"}), registry)
    assert spec.space["momentum"].options == (0.9,)
    assert isinstance(spec.space["learning_rate"], Float)


def test_an_endless_grid_is_refused_and_a_finite_one_planned(registry):
    with pytest.raises(UsageError, match="sampler 'grid' needs finite parameters"):
        plan(StudyRequest("net", "drawn", sampler="grid"), registry)
    real = plan(StudyRequest("net", "drawn"), registry).space
    finite = {name: "0.1" for name in real if isinstance(real[name], Float)}
    fixed = {"optimizer": "sgd", "scheduler": "none", "loss": "cross_entropy"}
    applies = {
        name: text
        for name, text in finite.items()
        if name in plan(StudyRequest("net", "drawn", settings=fixed), registry).space
    }
    spec = plan(
        StudyRequest("net", "drawn", sampler="grid", settings={**fixed, **applies, "momentum": "0.9"}), registry
    )
    assert spec.space.size()


def test_a_flag_may_make_a_files_setting_inapplicable(tmp_path, monkeypatch, registry):
    from fersearch.api import creating

    monkeypatch.setattr(creating, "components", lambda files: registry)
    path = tmp_path / "study.toml"
    path.write_text('model = "net"\ndataset = "drawn"\n[space]\nscheduler = "onecycle"\nwarmup_share = 0.2\n')
    assert "warmup_share" in creating.check_file(path)[0].space
    assert "warmup_share" not in creating.check_file(path, {"settings": {"scheduler": "cosine"}})[0].space
    with pytest.raises(StudyFileError, match="applies only when scheduler=onecycle"):
        creating.check_file(path, {"settings": {"scheduler": "cosine", "warmup_share": "0.3"}})


def test_a_crop_must_fit_into_the_images(registry):
    with pytest.raises(UsageError, match="crop: 64 pixels of images of 48") as caught:
        plan(StudyRequest("net", "drawn", settings={"crop": "40,64"}), registry)
    assert "raise --image-size" in caught.value.hint
    assert "crop" in plan(StudyRequest("net", "drawn", settings={"crop": "40"}), registry).space


def test_folds_mean_kfold_and_nothing_else(registry):
    assert plan(StudyRequest("net", "drawn", folds=3), registry).protocol == Protocol("kfold", folds=3)
    with pytest.raises(UsageError, match="folds 3 with split official"):
        plan(StudyRequest("net", "drawn", folds=3, split="official"), registry)


def test_ratios_mean_a_drawn_split(registry):
    assert plan(StudyRequest("net", "drawn", ratios=(0.6, 0.2, 0.2)), registry).protocol.split == "ratios"
    with pytest.raises(UsageError, match="ratios with split official"):
        plan(StudyRequest("net", "drawn", ratios=(0.6, 0.2, 0.2), split="official"), registry)


def test_an_unknown_unseen_dataset_is_a_mistake(registry):
    with pytest.raises(UsageError, match="unknown dataset 'jafe'"):
        plan(StudyRequest("net", "drawn", unseen=["jafe"]), registry)


def test_unseen_data_is_named_by_dataset_or_by_dataset_and_path(registry, tmp_path, monkeypatch):
    spec = plan(StudyRequest("net", "drawn", unseen=["drawn", f"drawn={tmp_path}"]), registry)
    assert spec.unseen == ("drawn", "drawn")
    monkeypatch.setattr(Drawn, "needs_data", True)
    spec = plan(StudyRequest("net", "drawn", data=tmp_path, unseen=["drawn", f"drawn={tmp_path}"]), registry)
    assert spec.unseen == ("drawn", f"drawn={tmp_path}")
    assert [unseen_dataset(text) for text in spec.unseen] == [("drawn", None), ("drawn", tmp_path)]
    with pytest.raises(UsageError, match="nowhere does not exist"):
        plan(StudyRequest("net", "drawn", data=tmp_path, unseen=[f"drawn={tmp_path / 'nowhere'}"]), registry)
    monkeypatch.setattr(Drawn, "named_by_path", True)
    with pytest.raises(UsageError, match="unseen drawn: its name alone does not say where it is\n  write drawn=PATH"):
        plan(StudyRequest("net", "drawn", data=tmp_path, unseen=["drawn"]), registry)


def test_a_study_keeps_the_path_that_its_datasets_name_leads_to_now(registry, tmp_path, monkeypatch):
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(Drawn, "needs_data", True)
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        assert plan(StudyRequest("net", "drawn", data=folder), registry).data == str(folder)
        assert plan(StudyRequest("net", "drawn"), registry).data == str(folder)
