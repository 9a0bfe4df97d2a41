"""One study over two architectures, from create to the models that are taken from it."""

import json

import pytest

from fersearch import api, cli
from fersearch.errors import UsageError

PLUGIN = '''
"""Two tiny networks whose widths are their own."""
from fersearch import Architecture, Choice, hookimpl


class Thin(Architecture):
    name = "thin"
    summary = "one convolution"
    space = {"width": Choice(2, 3)}
    stage_names = ("features", "head")

    def build(self, params, task):
        from torch import nn

        width = params["width"]
        features = nn.Sequential(nn.Conv2d(task.channels, width, 3), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        return nn.Sequential(features, nn.Linear(4 * width, task.num_classes))

    def stages(self, model):
        return [model[0], model[1]]


class Wide(Thin):
    name = "wide"
    summary = "one wide convolution"
    space = {"width": Choice(5, 6)}


@hookimpl
def register_architectures(register):
    register(Thin())
    register(Wide())
'''
GIVEN = {
    "dataset_options": {"image_size": "16", "train": "60", "valid": "40", "test": "40"},
    "settings": {"batch_size": "16", "thin.width": "2"},
    "epochs": "1",
    "one_study": True,
}


@pytest.fixture(scope="module")
def plugin(home):
    file = home / "two.py"
    file.write_text(PLUGIN)
    return file


@pytest.fixture(scope="module")
def searched(plugin):
    """Five trials of both architectures, whose best is trained once more at the end."""
    objectives = ("log_loss", "parameters")
    settings_of_study = {**GIVEN, "objectives": objectives, "sampler": "random", "pruner": "none", "keep": "all"}
    name = api.create_study("thin,wide", "faces", plugins=[plugin], trials=5, seed=1, refit=1, **settings_of_study).name
    assert api.run_study(name, slots=2).counts == {"complete": 5}
    return name


@pytest.fixture(scope="module")
def of_each(searched):
    """A trial of each architecture."""
    return {str(trial.params["architecture"]): trial for trial in api.list_trials(searched)}


def test_a_study_says_which_architectures_it_has(searched, capsys):
    assert searched == "thin+wide-faces"
    cli.run(["study", "show", searched, "--json"])
    shown = json.loads(capsys.readouterr().out)
    assert (shown["model"], shown["architectures"]) == ("thin,wide", ["thin", "wide"])
    assert shown["parameters"]["wide.width"]["when"] == {"architecture": ["wide"]}
    (listed,) = [one for one in api.list_studies() if one.name == searched]
    assert (listed.model, listed.architectures) == ("thin,wide", ("thin", "wide"))


def test_a_trial_has_its_own_architectures_parameters(of_each):
    assert set(of_each) == {"thin", "wide"}
    assert of_each["thin"].params["thin.width"] == 2
    assert of_each["wide"].params["wide.width"] in (5, 6)
    assert "wide.width" not in of_each["thin"].params
    assert of_each["wide"].values["parameters"] > of_each["thin"].values["parameters"]


def test_a_card_names_the_trials_architecture_and_its_parameters_without_prefix(searched, of_each, tmp_path):
    for name, trial in of_each.items():
        pulled = api.pull_checkpoint(searched, trial=trial.number, out=tmp_path / name)
        card = json.loads((pulled.path / "card.json").read_text())
        assert (card["architecture"], card["params"]["width"]) == (name, trial.params[f"{name}.width"])
        assert not any("." in key or key == "architecture" for key in card["params"])
        model = api.load_checkpoint(pulled.path, trust_plugin=True).model
        assert sum(weight.numel() for weight in model.parameters()) == trial.values["parameters"]


def test_a_trial_of_either_comes_out_the_same_again(searched, of_each):
    assert [api.rerun_trial(searched, trial.number).equal for trial in of_each.values()] == [True, True]


def test_the_best_is_trained_again_in_a_study_of_its_own_architecture(searched):
    best = api.front(searched).trials[0]
    again = api.show_study(f"refit/{searched}").spec
    assert not again.one_study
    assert again.architecture == best.params["architecture"]
    assert again.space["width"].options == (best.params[f"{again.architecture}.width"],)


def test_the_front_tells_the_architecture_of_each_trial(searched, capsys):
    cli.run(["study", "front", searched])
    assert "architecture=thin" in capsys.readouterr().out


def test_an_architecture_that_cannot_take_the_images_is_refused_at_create(plugin):
    sizes = {**GIVEN["dataset_options"], "image_size": "8"}
    with pytest.raises(UsageError, match="architecture 'cnn' cannot take images of 8x8 in 1 channel: RuntimeError"):
        api.create_study("thin,cnn", "faces", plugins=[plugin], name="unfit", one_study=True, dataset_options=sizes)
    assert "unfit" not in [study.name for study in api.list_studies()]
