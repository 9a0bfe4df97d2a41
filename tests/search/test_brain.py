"""The three verbs: which trials are proposed, what is recorded, and how a trial ends."""

import math
from dataclasses import replace

import pytest

from fersearch.errors import UnknownName, UsageError
from fersearch.search import Search
from fersearch.space import Choice, Float, Int, Space
from fersearch.study import Objective
from fersearch.trial import Attempt, Decision, Epoch, Outcome, Reason, Trial, TrialState
from tests.search.fakes import METRICS, OBJECTIVES, Rows, Study, epoch_of, make_search, make_spec, run_trial

TINY = Space({"epochs": Choice(8), "width": Choice(1, 2, 3), "flip": Choice(False, True)})


def values(f1: float, seconds: float = 1.0, memory: float = 1.0) -> dict[str, float]:
    return {"f1_macro": f1, "train_seconds": seconds, "peak_memory_mb": memory}


def test_a_new_trial_is_running_with_an_open_attempt_and_is_written() -> None:
    rows = Rows()
    spec = make_spec()
    trial = make_search(spec, rows).ask()
    assert (trial.number, trial.state, trial.attempts) == (0, TrialState.RUNNING, (Attempt(number=1),))
    spec.space.check(trial.params)
    assert Space.from_json(trial.space) == spec.space
    assert rows.trials[0].state is TrialState.RUNNING
    assert rows.attempts[0, 1].reason is None


def test_the_process_and_log_of_an_attempt_are_written() -> None:
    rows = Rows()
    search = make_search(make_spec(), rows)
    search.started(search.ask().number, 4711, "/logs/0-1.log")
    assert (rows.attempts[0, 1].pid, rows.attempts[0, 1].log) == (4711, "/logs/0-1.log")
    assert search.trials[0].attempts[-1].pid == 4711


def test_exactly_the_budgeted_trials_end() -> None:
    search = make_search(make_spec(trials=5))
    for _ in range(3):
        run_trial(search, search.ask())
    running = [search.ask(), search.ask()]
    assert search.ask() is None
    assert (search.done, search.running) == (False, {3, 4})
    assert run_trial(search, running[0], Reason.INTERRUPTED, epochs=2).state is TrialState.WAITING
    run_trial(search, running[1])
    assert (search.done, search.ended) == (False, 4)
    assert search.ask().number == 3
    run_trial(search, search.trials[3], first=3)
    assert (search.done, search.ended, search.ask()) == (True, 5, None)


def test_every_end_counts_for_the_budget() -> None:
    search = make_search(make_spec(trials=4))
    for reason in (Reason.DONE, Reason.PRUNED, Reason.OOM, Reason.OOM, Reason.ERROR):
        run_trial(search, search.ask(), reason, epochs=2)
    assert [trial.state.value for trial in search.trials] == ["complete", "pruned", "infeasible", "failed"]
    assert search.done


def test_waiting_trials_go_first_the_oldest_of_them_before_the_others() -> None:
    search = make_search(make_spec())
    trials = [search.ask() for _ in range(3)]
    for trial in reversed(trials):
        run_trial(search, trial, Reason.PREEMPTED, epochs=1)
    assert [search.ask().number for _ in range(4)] == [0, 1, 2, 3]


@pytest.mark.parametrize("reason", [Reason.KILLED, Reason.HUNG])
def test_a_third_killed_or_hung_attempt_without_progress_fails_the_trial(reason: Reason) -> None:
    search = make_search(make_spec())
    states = [run_trial(search, search.ask(), reason, epochs=0).state.value for _ in range(3)]
    assert states == ["waiting", "waiting", "failed"]
    assert [attempt.reason for attempt in search.trials[0].attempts] == [reason] * 3


def test_an_epoch_or_a_state_since_the_attempt_began_is_progress() -> None:
    search = make_search(make_spec())
    for _ in range(4):
        assert run_trial(search, search.ask(), Reason.KILLED, epochs=1).state is TrialState.WAITING
    for _ in range(4):
        search.saved(search.ask().number)
        assert search.finish(0, Outcome(Reason.HUNG), seconds=1.0).state is TrialState.WAITING
    states = [run_trial(search, search.ask(), Reason.KILLED, epochs=0).state.value for _ in range(3)]
    assert states == ["waiting", "waiting", "failed"]


def test_what_is_learned_of_a_running_attempt_is_written_at_once_and_stays_with_it() -> None:
    rows = Rows()
    search = make_search(make_spec(), rows)
    search.ask()
    search.record_facts(0, {"memory_format": "channels_last", "rehearsal": {"gain": 1.2}})
    assert rows.attempts[0, 1].facts == {"memory_format": "channels_last", "rehearsal": {"gain": 1.2}}
    trial = search.finish(0, Outcome(Reason.KILLED), 1.0)
    assert trial.attempts[0].facts["memory_format"] == "channels_last"
    search.record_facts(0, {"memory_format": "contiguous"})
    assert rows.attempts[0, 1].facts["memory_format"] == "channels_last"


def test_a_saved_state_is_recorded_with_the_attempt_at_once_and_once() -> None:
    rows = Rows()
    search = make_search(make_spec(), rows)
    search.ask()
    search.saved(0)
    assert rows.attempts[0, 1].facts == {"saved": True}
    del rows.attempts[0, 1]
    search.saved(0)
    assert (0, 1) not in rows.attempts
    trial = search.finish(0, Outcome(Reason.INTERRUPTED, facts={"device": "cpu"}), seconds=1.0)
    assert trial.attempts[0].facts == {"saved": True, "device": "cpu"}
    search.saved(0)
    assert (0, 1) in rows.attempts
    assert rows.attempts[0, 1].reason is Reason.INTERRUPTED


def test_interruptions_do_not_use_up_the_patience() -> None:
    search = make_search(make_spec())
    for _ in range(10):
        assert run_trial(search, search.ask(), Reason.INTERRUPTED, epochs=1).state is TrialState.WAITING
    assert run_trial(search, search.ask(), Reason.KILLED, epochs=1).state is TrialState.WAITING


def test_a_complete_trial_has_the_quality_of_its_best_epoch_and_the_cost_of_all() -> None:
    rows = Rows()
    search = make_search(make_spec(), rows)
    search.ask()
    for number, f1 in enumerate([0.2, 0.6, 0.5], start=1):
        search.record(0, Epoch(number, values(f1, 10.0 * number, 100.0 + number), 10.0))
    outcome = Outcome(Reason.DONE, kept_epoch=2, checkpoint="abc", facts={"device": "cpu"})
    trial = search.finish(0, outcome, seconds=40.0)
    assert trial.values == values(0.6, 30.0, 103.0)
    assert (trial.epochs, trial.kept_epoch, trial.checkpoint) == (3, 2, "abc")
    ended = Attempt(1, Reason.DONE, first_epoch=1, last_epoch=3, seconds=40.0, facts={"device": "cpu"})
    assert trial.attempts == (ended,)
    assert rows.attempts[0, 1] == ended
    assert rows.trials[0] == trial
    assert rows.facts == [{"device": "cpu"}]


def test_the_best_epoch_is_used_when_the_outcome_names_none() -> None:
    search = make_search(make_spec())
    search.ask()
    for number, f1 in enumerate([0.2, 0.6, 0.6, 0.5], start=1):
        search.record(0, Epoch(number, values(f1), 1.0))
    assert search.finish(0, Outcome(Reason.DONE), 1.0).kept_epoch == 2


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_done_trial_without_a_finite_objective_is_infeasible_and_says_so(bad: float) -> None:
    search = make_search(make_spec())
    search.ask()
    search.record(0, Epoch(1, {**values(0.5), "peak_memory_mb": bad}, 1.0))
    trial = search.finish(0, Outcome(Reason.DONE, kept_epoch=1, checkpoint="abc"), 1.0)
    assert (trial.state, trial.reason) == (TrialState.INFEASIBLE, Reason.INFEASIBLE)
    assert trial.attempts[-1].message == "no finite value of peak_memory_mb"
    assert "peak_memory_mb" not in trial.values
    assert search.ask().number == 1


def test_a_done_trial_that_recorded_nothing_is_infeasible() -> None:
    search = make_search(make_spec())
    search.ask()
    trial = search.finish(0, Outcome(Reason.DONE), 1.0)
    assert trial.attempts[-1].message == "no finite value of f1_macro, train_seconds, peak_memory_mb"


def test_an_undefined_metric_that_is_no_objective_is_only_left_out() -> None:
    search = make_search(make_spec())
    search.ask()
    search.record(0, Epoch(1, {**values(0.5), "auc_macro": math.nan}, 1.0))
    trial = search.finish(0, Outcome(Reason.DONE, kept_epoch=1), 1.0)
    assert (trial.state, trial.values) == (TrialState.COMPLETE, values(0.5))


def test_the_pruner_stops_weak_trials_and_its_reasons_are_stored() -> None:
    rows = Rows()
    spec = make_spec(pruner="pareto", objectives=(Objective("f1_macro", "max"),))
    search = make_search(spec, rows)
    for f1 in (0.6, 0.5, 0.4):
        search.ask()
        search.record(len(rows.trials) - 1, Epoch(1, values(f1), 1.0))
    weak = search.ask()
    assert search.record(weak.number, Epoch(1, values(0.1), 1.0)) is Decision.STOP
    assert rows.trials[weak.number].verdict["rank"] == 4
    trial = search.finish(weak.number, Outcome(Reason.PRUNED), 1.0)
    assert (trial.state, trial.values["f1_macro"]) == (TrialState.PRUNED, 0.1)
    assert trial.verdict["reason"] == "stopped at epoch 1: rank 4 of 4 by Pareto fronts; the best 2 go on"
    resumed = make_search(spec, rows)
    assert resumed.trials[weak.number].verdict == trial.verdict


def test_a_pruned_trial_has_the_values_of_its_best_epoch_and_the_costs_of_all() -> None:
    search = make_search(make_spec())
    search.ask()
    for number, f1 in enumerate([0.6, 0.3], start=1):
        search.record(0, Epoch(number, values(f1, 5.0 * number), 5.0))
    trial = search.finish(0, Outcome(Reason.PRUNED, kept_epoch=1), 1.0)
    assert trial.values == values(0.6, 10.0)


def test_a_late_epoch_of_a_trial_that_ended_changes_nothing() -> None:
    rows = Rows()
    search = make_search(make_spec(), rows)
    ended = run_trial(search, search.ask())
    assert search.record(0, epoch_of(ended, 9)) is Decision.STOP
    assert search.trials[0] == ended
    assert 9 not in rows.epochs[0, 1]


def test_a_dead_drivers_trials_end_as_interrupted_by_its_loss_and_go_on() -> None:
    rows = Rows()
    search = make_search(make_spec(), rows)
    for epochs in (3, 0):
        trial = search.ask()
        for number in range(1, epochs + 1):
            search.record(trial.number, epoch_of(trial, number))
    resumed = make_search(make_spec(), rows)
    assert [trial.state.value for trial in resumed.trials] == ["waiting", "waiting"]
    first, second = (trial.attempts[0] for trial in resumed.trials)
    assert [(a.first_epoch, a.last_epoch) for a in (first, second)] == [(1, 3), (None, None)]
    assert (first.reason, first.message) == (Reason.INTERRUPTED, "the driver ended while the trial was running")
    assert (first.facts, second.facts) == ({"lost": "driver"}, {"lost": "driver"})
    assert rows.attempts[0, 1] == first
    assert rows.attempts[1, 1] == second
    assert [resumed.ask().number, resumed.ask().number, resumed.ask().number] == [0, 1, 2]
    assert resumed.trials[0].attempts[-1].number == 2


def test_a_trial_that_ran_at_three_deaths_of_the_driver_is_named_and_waits() -> None:
    rows = Rows()
    notes: list[str] = []
    for _ in range(3):
        assert make_search(make_spec(), rows, note=notes.append).ask().number == 0
        assert notes == []
    search = make_search(make_spec(), rows, note=notes.append)
    assert search.trials[0].state is TrialState.WAITING
    assert notes == [
        "trial 0 was running the last 3 times that the driver died: it may be the cause; see: fersearch trial show s 0"
    ]
    assert search.ask().number == 0


@pytest.mark.parametrize(("what", "called"), [("server", "the fork server"), ("node", "its node")])
def test_a_trial_that_ran_at_three_other_deaths_in_a_row_is_named_too(what: str, called: str) -> None:
    notes: list[str] = []
    search = make_search(make_spec(), note=notes.append)
    for _ in range(3):
        assert notes == []
        search.ask()
        search.finish(0, Outcome(Reason.INTERRUPTED, facts={"lost": what}), seconds=1.0)
    assert notes[0].startswith(f"trial 0 was running the last 3 times that {called} died: ")
    assert search.trials[0].state is TrialState.WAITING


def test_a_process_a_fork_server_and_a_driver_lost_do_not_add_up() -> None:
    rows = Rows()
    search = make_search(make_spec(), rows)
    run_trial(search, search.ask(), Reason.KILLED, epochs=0)
    search.ask()
    assert search.finish(0, Outcome(Reason.INTERRUPTED, facts={"lost": "server"}), 1.0).state is TrialState.WAITING
    search.ask()
    search = make_search(make_spec(), rows)
    assert search.trials[0].state is TrialState.WAITING
    assert [attempt.facts.get("lost") for attempt in search.trials[0].attempts] == [None, "server", "driver"]


def test_a_trial_left_running_without_an_open_attempt_just_waits() -> None:
    rows = Rows(trials={0: Trial(0, make_search(make_spec()).ask().params, TrialState.RUNNING)})
    search = make_search(make_spec(), rows)
    assert (search.trials[0].state, rows.trials[0].state) == (TrialState.WAITING, TrialState.WAITING)
    assert search.ask().attempts == (Attempt(number=1),)


def test_epochs_recorded_again_replace_the_lost_attempts() -> None:
    rows = Rows()
    search = make_search(make_spec(), rows)
    search.ask()
    for number in (1, 2, 3):
        search.record(0, Epoch(number, values(0.9, 100.0 * number), 100.0))
    resumed = make_search(make_spec(), rows)
    assert resumed.trials[0].epochs == 3
    resumed.ask()
    resumed.record(0, Epoch(2, values(0.4, 20.0), 10.0))
    trial = resumed.finish(0, Outcome(Reason.DONE, kept_epoch=2), 1.0)
    assert (trial.epochs, trial.values) == (2, values(0.4, 20.0))
    assert (trial.attempts[1].first_epoch, trial.attempts[1].last_epoch) == (2, 2)


def test_a_rebuilt_pruner_judges_as_the_one_that_lived() -> None:
    def run(search: Search, trials: int) -> list[Trial]:
        return [run_trial(search, search.ask()) for _ in range(trials)]

    spec, rows = make_spec("tpe", pruner="pareto"), Rows()
    whole = make_search(spec)
    expected = run(whole, 15) + run(whole, 15)
    got = run(make_search(spec, rows), 15) + run(make_search(spec, rows), 15)
    assert [(t.params, t.state, t.verdict) for t in got] == [(t.params, t.state, t.verdict) for t in expected]
    assert {trial.state for trial in got} == {TrialState.COMPLETE, TrialState.PRUNED}


def test_an_exhausted_space_ends_the_study() -> None:
    search = make_search(make_spec(space=TINY))
    tried = []
    while (trial := search.ask()) is not None:
        tried.append(tuple(trial.params.items()))
        run_trial(search, trial)
    assert (len(set(tried)), len(tried), search.exhausted, search.done) == (6, 6, True, True)


def test_a_study_is_not_done_while_exhausted_trials_run_or_wait() -> None:
    search = make_search(make_spec("grid", space=TINY))
    trials = [search.ask() for _ in range(6)]
    assert (search.ask(), search.exhausted, search.done) == (None, True, False)
    for trial in trials:
        run_trial(search, trial, Reason.INTERRUPTED, epochs=1)
    assert not search.done
    assert search.ask().number == 0


def test_a_larger_budget_lets_a_finished_study_go_on() -> None:
    rows = Rows()
    search = make_search(make_spec(trials=2), rows)
    for _ in range(2):
        run_trial(search, search.ask())
    assert search.done
    assert make_search(make_spec(trials=3), rows).ask().number == 2


def test_a_smaller_budget_hands_out_no_waiting_trial_beyond_it() -> None:
    rows = Rows()
    search = make_search(make_spec(trials=3), rows)
    trials = [search.ask() for _ in range(3)]
    run_trial(search, trials[0])
    for trial in trials[1:]:
        run_trial(search, trial, Reason.INTERRUPTED, epochs=1)
    resumed = make_search(make_spec(trials=1), rows)
    assert (resumed.ask(), resumed.done) == (None, True)


def test_the_front_so_far_leaves_out_what_is_no_better_than_the_majority_class() -> None:
    search = make_search(make_spec())
    for f1 in (0.05, 0.4):
        trial = search.ask()
        search.record(trial.number, Epoch(1, values(f1), 1.0))
        search.finish(trial.number, Outcome(Reason.DONE, kept_epoch=1), 1.0)
    assert [trial.number for trial in search.front()] == [1]


@pytest.mark.parametrize(("option", "wrong"), [("sampler", "tpee"), ("pruner", "paretto")])
def test_unknown_samplers_and_pruners_are_refused_with_a_suggestion(option: str, wrong: str) -> None:
    spec = replace(make_spec(), **{option: wrong})
    with pytest.raises(UnknownName) as caught:
        Search(Study(spec), [], {}, Rows(), METRICS, {})
    assert caught.value.message == f"unknown {option} '{wrong}'"
    assert "did you mean" in caught.value.hint


def test_trials_with_a_range_of_epochs_are_judged_by_their_own_plan() -> None:
    space = Space({"epochs": Int(2, 8), "x": Float(0.0, 1.0)})
    search = make_search(make_spec(space=space, pruner="pareto", objectives=OBJECTIVES[:1]))
    short = []
    for _ in range(40):
        trial = search.ask()
        planned = trial.params["epochs"]
        decisions = [search.record(trial.number, Epoch(k, values(-float(trial.number)), 1.0)) for k in (1, 2)]
        short.append(decisions[-1] is Decision.STOP)
        if planned == 2:
            assert decisions[-1] is Decision.CONTINUE
        search.finish(trial.number, Outcome(Reason.DONE, kept_epoch=2), 1.0)
    assert any(short)


def test_the_grid_refuses_an_endless_space_and_names_what_to_narrow() -> None:
    with pytest.raises(UsageError) as caught:
        make_search(make_spec("grid"))
    assert caught.value.message == (
        "sampler 'grid' needs finite parameters; these are continuous: "
        "learning_rate (0.0001..0.1 (log)); momentum (0.5..0.99)"
    )
    assert caught.value.hint == "list values: --set learning_rate=0.0001,0.00316,0.1 --set momentum=0.5,0.745,0.99"


def test_a_trial_that_a_full_disk_ends_again_and_again_is_named_with_the_count() -> None:
    notes: list[str] = []
    search = make_search(make_spec(), note=notes.append)
    for _ in range(6):
        trial = search.ask()
        search.finish(trial.number, Outcome(Reason.INTERRUPTED, "no room at /x", facts={"lost": "disk"}), 1.0)
    assert notes == [
        f"trial 0 was lost {count} times in a row because of its disk and is tried again until there is space "
        "(no room at /x): free disk space, or continue with another FERSEARCH_HOME"
        for count in (3, 6)
    ]
