"""One brain, two bodies: whatever becomes of a trial, both engines leave the same rows."""

import time

import pytest

from fersearch.engines.processes import FORKS
from fersearch.engines.shutdown import Level, Stop
from fersearch.observer import Observer
from fersearch.trial import Reason, TrialState
from tests.processes import gone

pytestmark = [pytest.mark.slow(seconds=40), pytest.mark.skipif(not FORKS, reason="trials are forked on Linux only")]
ENDINGS = {
    "first": ("complete", ["done"], 8),
    "second": ("complete", ["done"], 8),
    "third": ("complete", ["done"], 8),
    "pruned": ("pruned", ["pruned"], 1),
    "failed": ("failed", ["error"], 1),
    "infeasible": ("infeasible", ["infeasible"], 8),
    "diverged": ("failed", ["diverged"], 8),
    "killed": ("complete", ["killed", "done"], 8),
    "unlucky": ("failed", ["killed", "killed", "killed", "killed"], 1),  # the first recorded an epoch
    "orphaned": ("complete", ["interrupted", "done"], 8),
    "hung": ("complete", ["hung", "done"], 8),
    "preempted": ("complete", ["preempted", "done"], 8),
    "slow": ("complete", ["done"], 8),
}
SILENCE = 3.0  # seconds; an epoch of the slow one takes longer

DIGEST = "d" * 64  # what `_scripted` hands over; importing that would put its trials in place of all others


@pytest.fixture(scope="module")
def finished(bench):
    """The trials of a study that held every ending, by engine and behaviour; run once an engine."""
    known = {}

    def run(engine):
        if engine not in known:
            study = bench(engine, tuple(ENDINGS))
            study.run(hung_after=SILENCE)
            known[engine] = {trial.params["behaviour"]: trial for trial in study.rows.read_trials()}, study.rows
        return known[engine]

    return run


@pytest.mark.parametrize("engine", ["local", "ray"])
@pytest.mark.parametrize("behaviour", ENDINGS)
def test_a_trial_ends_as_the_retry_table_says(finished, engine, behaviour):
    trial = finished(engine)[0][behaviour]
    state, reasons, epochs = ENDINGS[behaviour]
    assert (trial.state, [attempt.reason for attempt in trial.attempts], trial.epochs) == (state, reasons, epochs)


def test_both_engines_leave_the_same_rows(finished):
    (local, local_rows), (ray, ray_rows) = finished("local"), finished("ray")
    for behaviour, trial in local.items():
        other = ray[behaviour]
        for name in ("number", "params", "state", "epochs", "kept_epoch", "checkpoint", "verdict"):
            assert getattr(trial, name) == getattr(other, name), (behaviour, name)
        assert repr(trial.values) == repr(other.values)
        assert [_fields(a) for a in trial.attempts] == [_fields(b) for b in other.attempts]
    assert repr(local_rows.read_history()) == repr(ray_rows.read_history())


def _fields(attempt):
    return attempt.number, attempt.reason, attempt.message, attempt.first_epoch, attempt.last_epoch


@pytest.mark.parametrize(("engine", "what"), [("local", "server"), ("ray", "node")])
def test_an_attempt_says_what_it_was_lost_with(finished, engine, what):
    trials = finished(engine)[0]
    assert trials["orphaned"].attempts[0].facts["lost"] == what
    assert "lost" not in trials["killed"].attempts[0].facts


def test_a_node_measures_what_others_take_of_its_cpu(finished):
    share, _ = (finished(engine)[0]["slow"].attempts[0].facts.get("other_cpu_share") for engine in ("ray", "local"))
    assert share is not None
    assert 0 <= share <= 1


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_the_brain_hears_of_a_saved_state_though_the_process_dies(finished, engine):
    facts = [attempt.facts.get("saved") for attempt in finished(engine)[0]["killed"].attempts]
    assert facts == [True, None]


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_a_pruned_trial_hands_over_its_checkpoint(finished, engine):
    assert finished(engine)[0]["pruned"].checkpoint == DIGEST


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_the_last_output_of_an_exiting_process_is_reported(finished, engine):
    assert "about to leave" in finished(engine)[0]["failed"].attempts[0].message


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_a_hung_trial_says_how_long_it_was_silent_and_where(finished, engine):
    attempt = finished(engine)[0]["hung"].attempts[0]
    assert attempt.message == "the process sent no heartbeat for 3.0s, after epoch 1"
    assert gone(attempt.pid)


class StopAt(Observer):
    """Requests a stop once so many trials have reported an epoch; a stop now a moment later, if set."""

    def __init__(self, stop, trials, level=Level.AFTER_EPOCH, then_now=False):
        self.stop, self.level, self.then_now, self.left = stop, level, then_now, trials
        self.seen, self.requested_at = set(), 0.0

    def epoch(self, trial, epoch, decision):
        self.seen.add(trial.number)
        if len(self.seen) >= self.left and not self.stop.level:
            self.stop.ask(self.level)
            self.requested_at = time.monotonic()

    def tick(self):
        if self.then_now and self.stop.level and time.monotonic() - self.requested_at > 0.5:
            self.stop.ask(Level.NOW)


class StopWithBoth(Observer):
    """Stops the study at once when two trials have a process."""

    def __init__(self, study, stop):
        self.study, self.stop = study, stop

    def tick(self):
        if sum(trial.attempts[-1].pid is not None for trial in self.study.rows.read_trials()) == 2:
            self.stop.ask(Level.NOW)


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_each_attempt_knows_how_many_ran_beside_it(finished, bench, engine):
    alone = [attempt.facts for trial in finished(engine)[0].values() for attempt in trial.attempts]
    assert {facts.get("most_neighbours") for facts in alone} == {0}
    study, stop = bench(engine, ("asleep", "stepping")), Stop()
    study.run(slots=2, observer=StopWithBoth(study, stop), stop=stop)
    assert [trial.attempts[0].facts["most_neighbours"] for trial in study.rows.read_trials()] == [1, 1]


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_an_interrupted_trial_goes_on_where_it_was_saved(bench, engine):
    study, stop = bench(engine, ("patient", "third")), Stop()
    study.run(slots=1, observer=StopAt(stop, trials=1), stop=stop)
    first = study.rows.read_trials()[0]
    assert (first.state, first.reason) == (TrialState.WAITING, Reason.INTERRUPTED)
    study.run(slots=2)
    trials = study.rows.read_trials()
    assert [trial.state for trial in trials] == ["complete", "complete"]
    assert [(a.reason, a.first_epoch, a.last_epoch) for a in trials[0].attempts] == [
        ("interrupted", 1, 2),
        ("done", 3, 8),
    ]


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_two_stops_end_every_process_now(bench, engine):
    study, stop = bench(engine, ("asleep",)), Stop()
    started = time.monotonic()
    study.run(slots=1, observer=StopAt(stop, trials=1, then_now=True), stop=stop)
    assert time.monotonic() - started < 60
    (trial,) = study.rows.read_trials()
    assert (trial.state, trial.reason) == (TrialState.WAITING, Reason.INTERRUPTED)
    assert gone(trial.attempts[0].pid)


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_a_preempted_trial_leaves_in_the_middle_of_its_epoch(bench, engine):
    study, stop = bench(engine, ("stepping",)), Stop()
    study.run(slots=1, observer=StopAt(stop, trials=1, level=Level.AFTER_STEP), stop=stop, grace=60.0)
    (trial,) = study.rows.read_trials()
    assert (trial.state, trial.reason, trial.epochs) == (TrialState.WAITING, Reason.PREEMPTED, 1)
    assert trial.attempts[0].message == "saved inside epoch 2"
    study.run(slots=1)
    (trial,) = study.rows.read_trials()
    assert [(a.reason, a.first_epoch, a.last_epoch) for a in trial.attempts] == [("preempted", 1, 1), ("done", 2, 8)]


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_a_preempted_trial_that_does_not_leave_is_killed_after_the_grace(bench, engine):
    study, stop = bench(engine, ("asleep",)), Stop()
    study.run(slots=1, observer=StopAt(stop, trials=1, level=Level.AFTER_STEP), stop=stop, grace=1.0)
    (trial,) = study.rows.read_trials()
    assert (trial.state, trial.reason) == (TrialState.WAITING, Reason.PREEMPTED)
    assert trial.attempts[0].message == "it had not exited 1.0s after the request to stop"
    assert gone(trial.attempts[0].pid)


class StopAtOnce(Observer):
    """Stops a study, as by a signal, as soon as a trial has a slot."""

    def __init__(self, stop, level):
        self.stop, self.level = stop, level

    def started(self, trial, slot):
        self.stop.by_signal = True
        self.stop.ask(self.level)


@pytest.mark.parametrize(
    ("level", "reason"), [(Level.AFTER_STEP, Reason.PREEMPTED), (Level.AFTER_EPOCH, Reason.INTERRUPTED)]
)
@pytest.mark.parametrize("engine", ["local", "ray"])
def test_a_trial_that_has_not_begun_is_not_waited_for(bench, engine, level, reason):
    study, stop = bench(engine, ("stepping",)), Stop()
    study.run(slots=1, observer=StopAtOnce(stop, level), stop=stop, grace=600.0)
    (trial,) = study.rows.read_trials()
    assert (trial.state, trial.reason, trial.epochs) == (TrialState.WAITING, reason, 0)
    assert trial.attempts[0].message == "stopped before it began"
    study.run(slots=1)
    assert [trial.state for trial in study.rows.read_trials()] == ["complete"]


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_the_studys_time_ends_a_run(bench, engine):
    study = bench(engine, ("patient",))
    study.run(slots=1, seconds=0.0)
    (trial,) = study.rows.read_trials()
    assert (trial.state, trial.reason, trial.epochs) == (TrialState.WAITING, Reason.INTERRUPTED, 1)
