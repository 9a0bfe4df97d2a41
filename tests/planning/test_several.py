"""One study over several architectures: its name, its space, and what they cannot share."""

import pytest

from fersearch import Choice, Int
from fersearch.errors import StudyFileError, UsageError
from fersearch.planning.plan import plan
from fersearch.planning.request import StudyRequest
from fersearch.study import StudySpec
from tests.planning.conftest import Net


class Deep(Net):
    """A network with a width of its own, and a depth that only it has."""

    name = "zoo:deep.v1"
    space = {"width": Choice(1, 2), "depth": Int(2, 4), "skip": Choice(False, True, when={"depth": (4,)})}
    stage_names = ("stem", "body", "more", "head")
    weights = ("imagenet", "faces")


@pytest.fixture
def several(registry):
    registry.architectures["zoo:deep.v1"] = Deep()
    return registry


def planned(registry, **changes):
    return plan(StudyRequest("net, zoo:deep.v1", "drawn", one_study=True, **changes), registry)


def test_its_name_and_its_spec_hold_all(several):
    spec = planned(several)
    assert (spec.name, spec.architecture) == ("net+zoo:deep.v1-drawn", "net,zoo:deep.v1")
    assert spec.architectures == ("net", "zoo:deep.v1")
    assert StudySpec.from_json(spec.to_json()) == spec


def test_an_architectures_own_dimensions_apply_where_it_was_chosen(several):
    space = planned(several).space
    assert next(iter(space)) == "architecture"
    assert space["architecture"].options == ("net", "zoo:deep.v1")
    own = [name for name in space if space[name].when and "architecture" in space[name].when]
    assert own == ["net.freeze", "net.width", *(f"zoo:deep.v1.{name}" for name in ("freeze", "width", "depth", "skip"))]
    assert space["zoo:deep.v1.skip"].when == {"architecture": ("zoo:deep.v1",), "zoo:deep.v1.depth": (4,)}
    assert space["learning_rate"].when == {}


def test_each_architecture_is_built_from_its_own_parameters_without_prefix(several):
    spec = planned(several, settings={"net.width": "16", "zoo:deep.v1.width": "2"})
    params = dict(spec.examples())
    assert list(params) == ["net", "zoo:deep.v1"]
    assert params["net"]["width"] == 16
    assert (params["zoo:deep.v1"]["width"], params["zoo:deep.v1"]["depth"]) == (2, 2)
    assert "skip" not in params["zoo:deep.v1"]
    plain = plan(StudyRequest("net", "drawn", settings={"width": "16"}), several)
    assert [dict(plain.examples())] == [{"net": params["net"]}]


def test_more_examples_vary_what_is_an_architectures_own(several):
    result = [params["depth"] for name, params in planned(several).examples(4) if name == "zoo:deep.v1"]
    assert result == [2, 3, 4, 4]


def test_pretrained_weights_open_the_rules_of_each(several):
    space = planned(several, weights="imagenet").space
    assert space["net.freeze"].options == ("none", "all_but_last", "all_but_first_and_last", "first_1")
    assert space["zoo:deep.v1.freeze"].options[-1] == "first_2"
    assert space["zoo:deep.v1.frozen_batch_norm"].when["zoo:deep.v1.freeze"][0] == "all_but_last"


def test_a_bare_name_means_the_architecture_that_has_it(several):
    spec = planned(several, settings={"depth": "4", "skip": "true", "dropout": "0"})
    assert spec.space["zoo:deep.v1.depth"].options == (4,)
    assert spec.space["zoo:deep.v1.skip"].options == (True,)
    assert spec.space["dropout"].options == (0.0,)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"settings": {"width": "2"}},
            "width: 2 architectures have it, each its own\n  write net.width or zoo:deep.v1.width",
        ),
        (
            {"settings": {"freeze": "none"}},
            "freeze: 2 architectures have it, each its own\n  write net.freeze or zoo:deep.v1.freeze",
        ),
        (
            {"settings": {"depth": "2", "zoo:deep.v1.depth": "3"}},
            "depth: given twice, also as zoo:deep.v1.depth\n  keep one",
        ),
        ({"settings": {"net.widht": "8"}}, "unknown parameter 'net.widht'\n  did you mean 'net.width'?"),
        ({"settings": {"architecture": "net", "depth": "2"}}, "zoo:deep.v1.depth: applies only when architecture="),
        ({"weights": "faces"}, "weights 'faces' are neither a file nor a source that net knows"),
    ],
)
def test_what_several_cannot_share_is_refused(several, changes, message):
    with pytest.raises(UsageError) as caught:
        planned(several, **changes)
    assert str(caught.value).startswith(message)


def test_a_file_of_weights_fits_one_architecture(several, tmp_path):
    (tmp_path / "w.pt").write_bytes(b"")
    with pytest.raises(
        UsageError, match=r"w.pt': a file fits one architecture, not net and zoo:deep.v1\n  leave it out"
    ):
        planned(several, weights=str(tmp_path / "w.pt"))


def test_a_mistake_about_an_architectures_own_is_reported_once_with_its_key(several, tmp_path):
    request = StudyRequest("net,zoo:deep.v1", "drawn", one_study=True, settings={"zoo:deep.v1.depth": "9"})
    with pytest.raises(StudyFileError) as caught:
        plan(request, several, file=tmp_path / "study.toml")
    assert list(caught.value.mistakes) == ["space.zoo:deep.v1.depth: 9 is not offered; offered: 2..4"]


@pytest.mark.parametrize(
    ("model", "one_study", "message"),
    [
        ("net,deep", True, "unknown architecture 'deep'"),
        ("net,", True, "unknown architecture ''"),
        ("net", True, "one_study: only 'net' is named\n  name several, as cnn,resnet18, or leave it out"),
        ("net,net", True, "architecture 'net' is named twice\n  name each once"),
        (
            "net,other",
            None,
            "'net,other' names 2 architectures\n  one study over them: --one-study, or one_study = true in a study "
            'file; a study each: model = ["net", "other"] in a study file',
        ),
    ],
)
def test_names_that_do_not_add_up_are_refused(several, model, one_study, message):
    with pytest.raises(UsageError) as caught:
        plan(StudyRequest(model, "drawn", one_study=one_study, settings={"net.width": "8"}), several)
    assert str(caught.value).startswith(message)
