"""Errors say what came, what was likely meant and what to do."""

import pytest

from fersearch import errors
from fersearch.errors import FersearchError, StudyFileError, UnknownName, UsageError, lookup, suggestion


def test_an_error_prints_its_message_and_its_hint_below() -> None:
    assert str(FersearchError("no faces", "give a folder")) == "no faces\n  give a folder"
    assert str(FersearchError("no faces")) == "no faces"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("FersearchError", 1),
        ("PluginError", 1),
        ("StoreError", 1),
        ("StoreUnavailable", 1),
        ("StudyBusy", 1),
        ("UsageError", 2),
        ("UnknownName", 2),
        ("DataError", 2),
    ],
)
def test_what_the_person_got_wrong_exits_with_2_and_failures_with_1(name: str, code: int) -> None:
    error = getattr(errors, name)("message")
    assert isinstance(error, FersearchError)
    assert error.exit_code == code


def test_a_study_file_error_lists_every_mistake() -> None:
    error = StudyFileError("s.toml", ["trials: not a number", "sampler: unknown"])
    assert str(error) == "s.toml: 2 mistakes\n  trials: not a number\n  sampler: unknown"
    assert error.mistakes == ("trials: not a number", "sampler: unknown")
    assert StudyFileError("s.toml", ["one"]).message == "s.toml: 1 mistake"


def test_lookup_returns_what_is_known() -> None:
    assert lookup("dataset", "faces", {"faces": 1}) == 1


def test_an_unknown_name_comes_with_the_nearest_and_all_known_ones() -> None:
    with pytest.raises(UnknownName) as caught:
        lookup("dataset", "ferpuls", {"ferplus": 1, "fer2013": 2, "faces": 3})
    assert caught.value.message == "unknown dataset 'ferpuls'"
    assert caught.value.hint == "did you mean 'ferplus'? known datasets: faces, fer2013, ferplus"
    assert isinstance(caught.value, UsageError)


def test_what_is_plural_stays_as_it_is() -> None:
    with pytest.raises(UnknownName) as caught:
        lookup("recipes", "maybe", {"auto": 1, "none": 2})
    assert (caught.value.message, caught.value.hint) == ("unknown recipes 'maybe'", "known recipes: auto, none")


def test_studies_are_studies_in_the_plural() -> None:
    with pytest.raises(UnknownName) as caught:
        lookup("study", "cmm-faces", {"cnn-faces": 1})
    assert caught.value.hint == "did you mean 'cnn-faces'? known studies: cnn-faces"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("FERPLUS", "did you mean 'ferplus'? known: faces, ferplus"),
        ("fer", "did you mean 'ferplus'? known: faces, ferplus"),
        ("zzz", "known: faces, ferplus"),
        ("", "known: faces, ferplus"),
    ],
)
def test_only_a_near_name_is_suggested(name: str, hint: str) -> None:
    assert suggestion(name, ["ferplus", "faces"]) == hint


def test_an_empty_list_of_known_names_is_reported() -> None:
    assert suggestion("cnn", []) == "known: none"
