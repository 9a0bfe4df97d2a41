"""From a request to a spec: mistakes, their messages, and all of them at once."""

import subprocess
import sys

import pytest

from fersearch import accelerators
from fersearch.errors import StudyFileError, UsageError
from fersearch.planning.plan import plan
from fersearch.planning.request import StudyRequest
from fersearch.study import Protocol


def test_a_plain_request_becomes_the_defaults(registry, monkeypatch):
    monkeypatch.setattr(accelerators, "gpus", list)
    spec = plan(StudyRequest("net", "drawn"), registry)
    assert spec.name == "net-drawn"
    assert [str(o) for o in spec.objectives] == ["f1_macro:max", "cpu_seconds:min", "peak_memory_mb:min"]
    assert (spec.sampler, spec.pruner, spec.seed, spec.budget.trials) == ("tpe", "pareto", 0, 20)
    assert spec.dataset_options == {"image_size": 48, "channels": 1, "classes": 8}
    assert spec.space["freeze"].options == ("none",)
    assert spec.space["target"].options == ("majority",)
    assert spec.space["width"].options == (8, 16)


def test_a_spec_survives_the_store(registry):
    spec = plan(StudyRequest("net", "drawn", settings={"learning_rate": "0.01..0.1", "optimizer": "sgd"}), registry)
    assert type(spec).from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("changes", "message"),
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
        ({"where": ["train_second<=5"]}, "unknown metric 'train_second'"),
        (
            {"where": ["f1_macro>=0.9*best"]},
            "'f1_macro>=0.9*best': what is best is not known during a search\n  give a",
        ),
        ({"where": ["train_seconds<5"]}, "'train_seconds<5' is not a constraint"),
        ({"where": ["train_seconds<=nan"]}, "'train_seconds<=nan' is not a constraint"),
        ({"where": ["train_seconds<=5", "train_seconds<=6"]}, "'train_seconds<=6' and 'train_seconds<=5' bound"),
        ({"where": ["train_seconds<=5", "train_seconds>=6"]}, "no value keeps both 'train_seconds>=6' and"),
        ({"dataset_options": {"classes": "9"}}, "classes: '9' is not offered\n  offered: 8, 10"),
        ({"dataset_options": {"colour": "1"}}, "dataset drawn has no option 'colour'"),
        ({"weights": "imagnet"}, "weights 'imagnet' are neither a file nor a source that net knows"),
        ({"trials": 0}, "trials 0 is too small"),
        ({"name": "a b"}, "'a b' is not a valid name for a study"),
        ({"name": "a\x1b[2Jb"}, "'a\x1b[2Jb' is not a valid name for a study"),
        ({"name": "x" * 201}, "'xxxxxxxxxxxxxxxxxxxx...' is not a valid name for a study: it has 201 characters"),
    ],
)
def test_a_mistake_is_reported(registry, changes, message):
    with pytest.raises(UsageError) as caught:
        plan(StudyRequest(**{"architecture": "net", "dataset": "drawn", **changes}), registry)
    assert str(caught.value).startswith(message)


def test_all_mistakes_are_reported_at_once(registry):
    request = StudyRequest("net", "drown", sampler="x", settings={"batch_size": "0"}, objectives=["f1"], trials=0)
    with pytest.raises(UsageError) as caught:
        plan(request, registry)
    for word in ("'drown'", "'x'", "'f1'", "trials 0", "batch_size: 0"):
        assert word in str(caught.value)


def test_mistakes_of_a_file_come_with_the_earlier_ones_in_it(registry, tmp_path):
    request = StudyRequest("net", "drawn", settings={"momentun": "0.9", "width": "9"})
    with pytest.raises(StudyFileError) as caught:
        plan(request, registry, file=tmp_path / "study.toml", before=["trails: unknown key"])
    assert [line.partition(":")[0] for line in caught.value.mistakes] == ["trails", "space.momentun", "space.width"]


def test_ratios_and_split_reach_the_protocol(registry):
    spec = plan(StudyRequest("net", "drawn", split="ratios", ratios=(0.6, 0.2, 0.2), split_seed=7), registry)
    assert (spec.protocol.split, spec.protocol.ratios, spec.protocol.split_seed) == ("ratios", (0.6, 0.2, 0.2), 7)


def test_folds_mean_kfold_and_nothing_else(registry):
    assert plan(StudyRequest("net", "drawn", folds=3), registry).protocol == Protocol("kfold", folds=3)
    with pytest.raises(UsageError, match="folds 3 with split official"):
        plan(StudyRequest("net", "drawn", folds=3, split="official"), registry)


def test_ratios_mean_a_drawn_split(registry):
    assert plan(StudyRequest("net", "drawn", ratios=(0.6, 0.2, 0.2)), registry).protocol.split == "ratios"
    with pytest.raises(UsageError, match="ratios with split official"):
        plan(StudyRequest("net", "drawn", ratios=(0.6, 0.2, 0.2), split="official"), registry)


def test_a_study_without_a_file_needs_no_pydantic():
    code = "import sys, fersearch.api.creating; assert 'pydantic' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
