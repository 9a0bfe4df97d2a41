"""What a run of a study refuses before it touches anything."""

import pytest

from fersearch import api
from fersearch.errors import UsageError
from fersearch.search.recipes import known


def test_a_silence_that_says_nothing_is_refused():
    with pytest.raises(UsageError) as refused:
        api.run_study("none", hung_after=1.0)
    assert (refused.value.message, refused.value.hint) == (
        "--hung-after 1 s is too short: a trial sends a heartbeat about once a second",
        "give 3s or more, or 0 for never",
    )


@pytest.mark.parametrize(("recipes", "count"), [("auto", 2), ("none", 0)])
def test_a_study_begins_with_known_recipes_and_has_them_once(home, recipes, count):
    settings = {"convolutions": "1", "batch_size": "32,64", "augmentation": "none,flip"}
    options = {"train": "60", "valid": "30", "test": "30"}
    options_of_study = {
        "trials": 8,
        "epochs": "1",
        "settings": settings,
        "dataset_options": options,
        "recipes": recipes,
    }
    api.create_study("cnn", "faces", name=recipes, **options_of_study)
    for timeout in (1.5, None):
        api.run_study(recipes, slots=2, timeout=timeout)
    params = [trial.params for trial in api.list_trials(recipes)]
    projected = known(api.study_spec(recipes).space)
    assert params[:count] == projected[:count]
    assert len(params) == 8
    assert not any(each in params[count:] for each in projected[: count or None])
