"""The space of a study, narrowed by its settings."""

import pytest

from fersearch import Float
from fersearch.errors import StudyFileError, UsageError
from fersearch.planning.plan import plan
from fersearch.planning.request import StudyRequest


def test_pretrained_weights_open_the_freezing_rules(registry):
    spec = plan(StudyRequest("net", "drawn", weights="imagenet"), registry)
    assert spec.space["freeze"].options == ("none", "all_but_last", "all_but_first_and_last", "first_1")


def test_epochs_are_fixed_or_a_range(registry):
    assert plan(StudyRequest("net", "drawn", epochs="7"), registry).space["epochs"].options == (7,)
    ranged = plan(StudyRequest("net", "drawn", epochs="5..9"), registry).space["epochs"]
    assert (ranged.low, ranged.high) == (5, 9)


def test_an_unknown_model_hides_no_mistake_of_the_space(registry, tmp_path):
    settings = {"batch_sise": "32", "width": "9", "frozen_batch_norm": "fixed", "dropout": "2"}
    with pytest.raises(StudyFileError) as caught:
        plan(StudyRequest("nte", "drawn", settings=settings, epochs="three"), registry, file=tmp_path / "study.toml")
    keys = [line.partition(":")[0] for line in caught.value.mistakes]
    assert keys == ["model", "space.batch_sise", "space.dropout", "epochs"]


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
