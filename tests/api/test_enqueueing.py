"""Enqueueing: what is refused before anything is stored, and what the next run does with the rest."""

import time

import pytest
from sqlalchemy import select

from fersearch import api
from fersearch.context import open_store
from fersearch.errors import UnknownName, UsageError
from fersearch.observer import Observer
from fersearch.store import control
from fersearch.store.tables import control as requests

SIZES = {"train": "40", "valid": "20", "test": "20"}


@pytest.fixture
def study(home):
    settings = {"optimizer": "sgd,adam", "learning_rate": "0.001..0.1", "batch_size": "16,32"}
    return api.create_study("cnn", "faces", trials=2, epochs="1", dataset_options=SIZES, settings=settings).name


class Enqueuing(Observer):
    """Enqueues a configuration at the first epoch, and lets the run continue once its driver has taken it."""

    def __init__(self, study):
        self.study = study

    def epoch(self, trial, epoch, decision):
        if trial.number == 0:
            assert api.enqueue_trial(self.study, {"learning_rate": 0.02}).running
            with open_store() as store:
                while not self.was_taken(store):
                    time.sleep(0.02)

    def was_taken(self, store):
        with store.database.read() as connection:
            return connection.execute(select(requests.c.taken_at)).scalar_one()


def test_it_is_tried_next_by_the_run_that_begins_and_by_one_under_way(study, monkeypatch):
    view = api.enqueue_trial(study, {"learning_rate": "0.01", "batch_size": 16})
    assert (view.given, view.running, view.waiting) == ({"learning_rate": 0.01, "batch_size": 16}, False, 1)
    assert [one.given for one in api.show_study(study).enqueued] == [view.given]
    monkeypatch.setattr(control, "POLL_SECONDS", 0.02)
    api.run_study(study, slots=1, observer=Enqueuing(study))
    first, second = api.list_trials(study)
    assert (first.params["learning_rate"], first.params["batch_size"], first.enqueued.given) == (0.01, 16, view.given)
    assert second.params["learning_rate"] == 0.02
    assert api.show_study(study).enqueued == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "no values are given to enqueue"),
        ({"learning_rate": 5}, "learning_rate: 5 is not offered"),
        ({"learning_rate": "0.01..0.1"}, "learning_rate: '0.01..0.1' is several values"),
        ({"batch_size": "16,32"}, "batch_size: '16,32' is several values"),
        ({"optimizer": "sdg"}, "optimizer: 'sdg' is not offered"),
        ({"momentum": 0.9}, "momentum: applies only when optimizer=sgd"),
        ({"momentum": 0.9, "optimizer": "adam"}, "momentum: applies only when optimizer=sgd"),
    ],
)
def test_what_lies_outside_the_space_is_refused(study, settings, message):
    with pytest.raises(UsageError, match=message):
        api.enqueue_trial(study, settings)
    assert api.show_study(study).enqueued == []


def test_unknown_names_bring_the_nearest(study):
    with pytest.raises(UnknownName, match="unknown parameter 'learning_rat'"):
        api.enqueue_trial(study, {"learning_rat": 0.01})
    with pytest.raises(UnknownName, match="unknown study 't'"):
        api.enqueue_trial("t", {"learning_rate": 0.01})


def test_a_configuration_that_was_tried_is_refused_by_its_trial(home_with_study):
    tried = api.show_trial("small", 1).trial
    with pytest.raises(UsageError, match=r"trial 1 of study 'small' already has this configuration \(\w+\)") as caught:
        api.enqueue_trial("small", tried.params)
    assert "fersearch trial show small 1" in caught.value.hint


def test_a_whole_configuration_is_enqueued_once_and_reported_where_the_budget_has_no_room(home):
    settings = {"optimizer": "adam", "learning_rate": "0.001,0.01", "dropout": "0", "weight_decay": "0"}
    spec = api.create_study("cnn", "faces", trials=1, epochs="1", dataset_options=SIZES, settings=settings)
    first = next(spec.space.configurations())
    open_still = {name: value for name, value in first.items() if name != "learning_rate"}
    view = api.enqueue_trial(spec.name, {**open_still, "learning_rate": 0.01})
    assert (view.needed, view.trials) == (1, 1)
    with pytest.raises(UsageError, match=r"is already enqueued in study '[^']+'"):
        api.enqueue_trial(spec.name, {**open_still, "learning_rate": 0.01})
    more = api.enqueue_trial(spec.name, {**open_still, "learning_rate": 0.001})
    assert (more.needed, more.trials) == (2, 1)
