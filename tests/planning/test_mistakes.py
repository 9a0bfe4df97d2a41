"""Mistakes that only the registry detects, as lines of a study file."""

from fersearch.errors import FersearchError, UnknownName
from fersearch.planning.mistakes import mistake


def test_an_error_that_only_the_registry_finds_gets_its_key_in_the_file():
    error = FersearchError("unknown parameter 'momentun'", "did you mean 'momentum'? known: momentum")
    assert mistake("space.momentun", error) == (
        "space.momentun: unknown parameter 'momentun'; did you mean 'momentum'? known: momentum"
    )
    low = FersearchError("dropout: 2 is not offered", "offered: 0..0.95")
    assert mistake("space.dropout", low) == "space.dropout: 2 is not offered; offered: 0..0.95"
    assert mistake("dataset", FersearchError("unknown dataset 'x'")) == "dataset: unknown dataset 'x'"


def test_a_study_key_that_slipped_under_space_is_sent_home():
    error = UnknownName("unknown parameter 'trials'", "known: momentum")
    assert mistake("space.trials", error) == ("space.trials: 'trials' is a key of the study; write it above [space]")
