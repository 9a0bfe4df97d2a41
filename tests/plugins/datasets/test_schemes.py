"""Which emotions make up which classes."""

import pytest
from fersearch_datasets._schemes import DERIVED, NAMES, SCHEMES, Scheme, resolve

from fersearch.data.labels import CANONICAL, EMOTIONS, NOT_CLASSES
from fersearch.errors import UnknownName

RAFDB = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear")
FED = ("amenability", "concentration", "confusion", "aversion")


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_every_class_is_reached_by_a_canonical_word_and_no_word_by_two(scheme: Scheme) -> None:
    assert {scheme.class_of(word) for word in CANONICAL} - {None} == set(scheme.class_names)
    names = [word for listed in scheme.labels_of.values() for word in listed]
    assert len(set(names)) == len(names)
    assert set(names) <= set(CANONICAL)


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
def test_a_class_that_is_named_like_a_word_holds_that_word(scheme: Scheme) -> None:
    for name in set(scheme.class_names) & set(CANONICAL):
        assert scheme.class_of(name) == name


def test_the_number_in_a_name_is_the_number_of_classes() -> None:
    numbers = {name: int("".join(filter(str.isdigit, name.removeprefix("s003")))) for name in SCHEMES}
    assert {name: len(scheme.class_names) for name, scheme in SCHEMES.items()} == numbers


def test_engaged_is_amenability_and_concentration_alone() -> None:
    scheme = SCHEMES["s003_4"]
    assert [word for word in FED if scheme.class_of(word) == "engaged"] == ["amenability", "concentration"]
    assert scheme.class_of("confusion") is None
    assert scheme.class_of("sadness") is None


def test_eleven_classes_are_all_that_the_four_class_study_had() -> None:
    assert set(SCHEMES["s003_11"].class_names) == {*RAFDB, *FED}


def test_valence_drops_what_may_be_of_either_sign() -> None:
    scheme = SCHEMES["valence3"]
    assert scheme.class_of("surprise") is None
    assert {word: scheme.class_of(word) for word in EMOTIONS if word != "surprise"} == {
        "neutral": "neutral",
        "happiness": "positive",
        **dict.fromkeys(("sadness", "anger", "disgust", "fear", "contempt"), "negative"),
    }


def test_intersection_keeps_what_every_source_has_in_canonical_order() -> None:
    names = {"rafdb": RAFDB, "ck": ("surprise", "contempt", "happiness", "anger")}
    assert resolve("intersection", names).class_names == ("happiness", "surprise", "anger")


def test_union_has_the_classes_of_any_source_own_names_last_and_no_unknown_ones() -> None:
    names = {"a": ("zen", "anger", *NOT_CLASSES), "b": ("bored", "neutral")}
    assert resolve("union", names).class_names == ("neutral", "anger", "bored", "zen")


def test_a_fixed_scheme_does_not_depend_on_the_sources() -> None:
    assert resolve("basic7", {"a": ("anger",)}) is SCHEMES["basic7"]
    assert (*SCHEMES, *DERIVED) == NAMES


def test_an_unknown_scheme_names_the_nearest() -> None:
    with pytest.raises(UnknownName) as caught:
        resolve("valence", {})
    assert caught.value.message == "unknown scheme 'valence'"
    assert caught.value.hint.startswith("did you mean 'valence3'? known schemes: basic6, basic7, ")
