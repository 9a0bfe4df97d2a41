from fersearch.report import sharing
from fersearch.trial import EXCLUSIVE, Attempt, Reason, Trial, TrialState


def trial(number, neighbours=None, state=TrialState.COMPLETE, **values):
    facts = {} if neighbours is None else {"neighbours": neighbours}
    return Trial(number, {}, state, values=values, attempts=(Attempt(1, Reason.DONE, facts=facts),))


def test_the_most_crowded_attempt_counts():
    attempts = (Attempt(1, Reason.KILLED, facts={"neighbours": 1.5}), Attempt(2, Reason.DONE, facts={"neighbours": 0}))
    assert sharing.neighbours(Trial(0, {}, attempts=attempts)) == 1.5
    assert sharing.neighbours(Trial(0, {})) is None


def test_nothing_is_noted_where_nothing_was_recorded():
    assert sharing.describe([]) == ""
    assert sharing.describe([trial(0), trial(1, 3.0, TrialState.FAILED)]) == ""


def test_trials_alone_are_reported():
    assert sharing.describe([trial(0, 0.0), trial(1, 0.02)]) == "each trial had its device to itself"


def test_trials_beside_others_are_counted():
    sentences = sharing.describe([trial(0, 1.0), trial(1, 2.0, TrialState.PRUNED), trial(2, 0.0), trial(3)])
    assert sentences == (
        "train_seconds of 2 of 3 trials was measured next to others on the same device (1.5 on average); "
        "--exclusive-timing retrains the front alone to time it"
    )
    timed = sharing.describe([trial(0, 1.0, **{EXCLUSIVE: 3.0}), trial(1, 1.0)])
    assert timed.endswith("1 timed again alone (exclusive_train_seconds)")


def test_trials_that_other_work_slowed_are_counted() -> None:
    facts = {"device": "cpu", "threads": 2, "neighbours": 0.0}
    slowed, alone = (
        Trial(
            0, {}, TrialState.COMPLETE, {"train_seconds": wall, "cpu_seconds": 8.0}, attempts=(Attempt(1, facts=facts),)
        )
        for wall in (5.1, 4.9)
    )
    assert (slowed.disturbed, alone.disturbed) == (True, False)
    sentences = sharing.describe([slowed, alone])
    assert sentences == "each trial had its device to itself; other work slowed 1 of them"
    on_gpu = Trial(0, {}, values=slowed.values, attempts=(Attempt(1, facts={**facts, "device": "cuda:0"}),))
    assert not on_gpu.disturbed
    assert not Trial(0, {}, values={"train_seconds": 5.1}, attempts=(Attempt(1, facts=facts),)).disturbed


def test_other_processes_are_reported_with_their_share_of_the_cpu() -> None:
    shares = (0.5, 0.3, 0.02)
    facts = [{"device": "cpu", "neighbours": 0.0, "other_cpu_share": share} for share in shares]
    trials = [Trial(0, {}, TrialState.COMPLETE, attempts=(Attempt(1, facts=each),)) for each in facts]
    assert [trial.other_cpu_share for trial in trials] == [0.5, 0.3, 0.02]
    assert sharing.describe(trials) == (
        "no trial shared its device with another; while 2 trained, other processes kept 40% of the CPU busy; "
        "--exclusive-timing retrains the front alone to time it"
    )
    assert sharing.describe(trials[2:]) == "each trial had its device to itself"
