"""Extending a study: its trials stay, changes are reported, and what cannot change is refused."""

import pytest

from fersearch import api, context
from fersearch.context import open_store
from fersearch.errors import StudyBusy, UsageError
from fersearch.store import Lease


def test_a_finished_study_is_extended_and_tells_what_changed(home_with_study, tmp_path):
    before = api.show_study("small")
    view = api.extend_study("small", trials=9, settings={"learning_rate": "0.0001..0.1"}, objectives=["accuracy"])
    assert not any("keep the epoch" in line for line in context.notices)  # the first objective is the same
    assert (view.spec.budget.trials, view.space["learning_rate"]) == (9, "0.0001..0.1 (log)")
    assert (view.counts, view.state) == (before.counts, "idle")
    assert [one.metric for one in api.list_studies()[0].objectives] == ["accuracy"]
    best = api.front("small").trials
    assert best[0].values["accuracy"] == max(trial.values["accuracy"] for trial in best)
    changes = {change.name: change.trials for change in api.show_study("small").spec.changes}
    assert changes == dict.fromkeys(["trials", "objectives", "learning_rate"], len(api.list_trials("small")))
    page = api.write_report("small", tmp_path / "report").page.read_text()
    assert "Changes to small during the search." in page
    assert "0.0001..0.1 (log)" in page


def test_a_metric_that_a_trial_lacks_is_refused_as_an_objective(home_with_study):
    with open_store() as store:
        study = store.study("small")
        numbers = [trial.number for trial in store.trials(study.id) if trial.state == "complete"]
        store.set_value(study.id, numbers[-1], "f1_macro", float("nan"))
    with pytest.raises(UsageError, match=f"objective 'f1_macro': trial {numbers[-1]} of study 'small' has no value"):
        api.extend_study("small", objectives=["f1_macro"])
    assert api.study_spec("small").changes == ()


def test_a_study_that_runs_is_not_changed(home_with_study):
    with open_store() as store:
        study = store.study("small")
        with Lease.take(store.database, study.id, "small"), pytest.raises(StudyBusy):
            api.extend_study("small", trials=30)
    assert api.study_spec("small").changes == ()


def test_another_first_objective_says_which_epochs_trials_keep(home_with_study):
    api.extend_study("small", objectives=["f1_macro", "accuracy"])
    assert context.notices[-1] == "the trials that study 'small' has keep the epoch that was best by accuracy"


def test_what_is_enqueued_stays_inside_the_space(home_with_study):
    api.enqueue_trial("small", {"learning_rate": 0.0123})
    with pytest.raises(UsageError, match=r"learning_rate=0.0123 is enqueued but lies outside the new space"):
        api.extend_study("small", settings={"learning_rate": "0.05..0.1"})
    api.extend_study("small", settings={"learning_rate": "0.001..0.2"})
