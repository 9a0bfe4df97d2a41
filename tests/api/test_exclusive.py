"""Members of a front are timed again alone; the searched value stays, and no trial is timed twice."""

from fersearch import api
from fersearch.context import open_store
from fersearch.engines import follow_up as exclusive
from fersearch.engines.rerun import Changed, Compared, Rerun
from fersearch.observer import Observer
from fersearch.trial import EXCLUSIVE


class Notes(Observer):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def run(study, **options):
    notes = Notes()
    view = api.run_study(study, slots=1, observer=notes, **options)
    return view, notes.notes


def test_every_member_of_the_front_is_timed_alone_once(study):
    members = {trial.number: trial for trial in api.front(study).trials}
    assert members
    before = {trial.number: trial for trial in api.list_trials(study)}
    view, notes = run(study, exclusive_timing=True)
    after = {trial.number: trial for trial in api.list_trials(study)}
    for number, trial in after.items():
        assert (EXCLUSIVE in trial.values) == (number in members)
        assert {name: value for name, value in trial.values.items() if name != EXCLUSIVE} == before[number].values
    assert all(0 < after[number].values[EXCLUSIVE] < 600 for number in members)
    assert sum("alone (" in line for line in notes) == len(members)
    assert sum("in the search" in line for line in notes) == len(members)
    assert f"{len(members)} timed again alone" in view.timing
    again = run(study, exclusive_timing=True)[1]
    assert not [line for line in again if "alone" in line]


def test_a_rerun_does_not_look_for_what_was_timed_alone(study):
    with open_store(None) as store:
        store.set_value(store.study(study).id, 0, EXCLUSIVE, 1.0)
        store.set_value(store.study(study).id, 0, EXCLUSIVE, 2.5)
    assert api.show_trial(study, 0).trial.values[EXCLUSIVE] == 2.5
    done = api.rerun_trial(study, 0)
    assert done.equal
    assert EXCLUSIVE not in {each.name for each in done.metrics}


def test_trials_beside_each_other_say_so(study):
    trials = api.list_trials(study)
    assert max(trial.attempts[0].facts["most_neighbours"] for trial in trials) == 1
    assert "next to others on the same device" in api.show_study(study).timing


def test_another_device_is_reported(study, monkeypatch):
    number = api.front(study).trials[0].number
    times = (Compared("train_seconds", 3.0, 2.0, False),)
    result = Rerun(study, number, 0, 2, (1, 1), times, (Changed("threads", "2", "1"),))
    monkeypatch.setattr(exclusive, "EXCLUSIVE", "timed_in_a_test")
    monkeypatch.setattr(exclusive, "rerun", lambda *_, **__: result)
    notes = []
    exclusive.time_front(study, None, notes.append)
    assert api.show_trial(study, number).trial.values["timed_in_a_test"] == 2.0
    assert f"trial {number} was timed with threads 1, which was 2 in the search" in notes


def test_a_study_without_a_front_times_nothing(home):
    api.create_study("cnn", "faces", name="bare", trials=1)
    notes = []
    exclusive.time_front("bare", None, notes.append)
    assert notes == []
