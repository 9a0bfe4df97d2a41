"""Whose checkpoints a study keeps, and what becomes of the others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fersearch.search.front import Keeper, front, retained
from fersearch.study import Keep, Objective
from fersearch.trial import Epoch, Outcome, Reason, Trial, TrialState
from tests.search.fakes import Rows, make_search, make_spec

OBJECTIVES = (Objective("f1_macro", "max"), Objective("train_seconds", "min"))
BASELINE = {"f1_macro": 0.15}


def trial(number: int, f1: float, seconds: float, state: TrialState = TrialState.COMPLETE) -> Trial:
    return Trial(number, {}, state, {"f1_macro": f1, "train_seconds": seconds}, checkpoint=f"{number:064x}")


TRIALS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.sampled_from(list(TrialState)[2:])), max_size=14
).map(lambda rows: [trial(n, f1 / 10, float(s), state) for n, (f1, s, state) in enumerate(rows)])
POLICIES = st.one_of(st.just(Keep()), st.just(Keep("all")), st.integers(1, 5).map(lambda most: Keep("best", most)))


@pytest.mark.parametrize(
    ("policy", "expected"),
    [(Keep(), {1, 2}), (Keep("best", 1), {2}), (Keep("best", 3), {0, 1, 2}), (Keep("all"), {0, 1, 2, 3, 4, 5})],
)
def test_each_policy_keeps_its_own(policy, expected):
    trials = [
        trial(0, 0.4, 9.0),
        trial(1, 0.4, 1.0),
        trial(2, 0.9, 5.0),
        trial(3, 0.1, 0.1),  # below the baseline
        trial(4, 0.95, 0.2, TrialState.PRUNED),
        trial(5, 0.95, 0.2, TrialState.INFEASIBLE),
    ]
    assert retained(trials, policy, OBJECTIVES, BASELINE) == expected


def test_a_study_that_nowhere_beats_the_baseline_keeps_its_best():
    trials = [trial(0, 0.1, 9.0), trial(1, 0.12, 1.0)]
    assert retained(trials, Keep(), OBJECTIVES, BASELINE) == {1}


def test_the_cheapest_is_retained_beside_a_front_that_it_is_not_on():
    objectives = OBJECTIVES[::-1]
    trials = [trial(0, 0.9, 9.0), trial(1, 0.1, 1.0)]
    assert [each.number for each in front(trials, objectives, BASELINE)] == [0]
    assert retained(trials, Keep(), objectives, BASELINE) == {0, 1}
    assert retained(trials, Keep("best", 1), objectives, BASELINE) == {0}


def test_of_equals_by_the_first_objective_the_one_on_the_front_is_the_best():
    trials = [trial(0, 0.4, 9.0), trial(1, 0.4, 1.0)]
    assert retained(trials, Keep("best", 1), OBJECTIVES, BASELINE) == {1}


@given(TRIALS, POLICIES)
def test_the_best_of_the_front_is_always_retained_and_n_is_a_bound(trials, policy):
    result = retained(trials, policy, OBJECTIVES, BASELINE)
    standing = [each.number for each in front(trials, OBJECTIVES, BASELINE)]
    assert set(standing[:1]) <= result <= {each.number for each in trials}
    if policy.which == "front":
        assert set(standing) <= result
        assert len(result) <= len(standing) + 1
    if policy.which == "best":
        complete = sum(each.state is TrialState.COMPLETE for each in trials)
        assert len(result) == min(policy.most, complete)


@given(TRIALS, POLICIES)
def test_trial_by_trial_keeps_what_all_at_once_does(trials, policy):
    spec = make_spec(objectives=OBJECTIVES, keep=policy)
    keeper, rows = Keeper(spec, BASELINE), {}
    for each in trials:
        rows[each.number] = each
        for gone in keeper.released(rows, [each.number]):
            assert (gone.checkpoint, gone.released) == (None, str(policy))
            rows[gone.number] = gone
    left = {number for number, each in rows.items() if each.checkpoint}
    assert left == retained(trials, policy, OBJECTIVES, BASELINE)
    assert Keeper(spec, BASELINE).released(rows, rows) == []


class Counted(dict[int, Trial]):
    """Trials that count how often one is looked at."""

    looks = 0

    def __getitem__(self, number: int) -> Trial:
        self.looks += 1
        return super().__getitem__(number)


@pytest.mark.parametrize("policy", [Keep(), Keep("best", 3), Keep("all")])
def test_what_a_trial_costs_at_its_end_does_not_grow_with_the_study(policy):
    keeper = Keeper(make_spec(objectives=OBJECTIVES, keep=policy), BASELINE)
    rows = Counted({n: trial(n, 0.2 + n / 1000, float(n)) for n in range(400)})  # all of them stand on the front
    keeper.released(rows, range(399))
    rows.looks = 0
    keeper.released(rows, [399])
    assert rows.looks <= 3


@given(TRIALS)
def test_another_policy_releases_what_it_does_not_keep_and_gives_nothing_back(trials):
    rows = {each.number: each for each in trials}
    first = Keeper(make_spec(objectives=OBJECTIVES, keep=Keep("best", 2)), BASELINE).released(rows, rows)
    rows |= {each.number: each for each in first}
    rows |= {
        each.number: each
        for each in Keeper(make_spec(objectives=OBJECTIVES, keep=Keep()), BASELINE).released(rows, rows)
    }
    assert {n for n, each in rows.items() if each.checkpoint} == retained(
        trials, Keep("best", 2), OBJECTIVES, BASELINE
    ) & retained(trials, Keep(), OBJECTIVES, BASELINE)


def end(search, f1: float, seconds: float, reason: Reason = Reason.DONE, checkpoint: str | None = "") -> Trial:
    """Run the next trial to its end; its checkpoint is named after it."""
    number = search.ask().number
    search.record(number, Epoch(1, {"f1_macro": f1, "train_seconds": seconds, "peak_memory_mb": 1.0}, seconds))
    digest = f"digest {number}" if checkpoint == "" else checkpoint
    return search.finish(number, Outcome(reason, kept_epoch=1, checkpoint=digest), seconds)


def test_a_trial_that_is_beaten_releases_its_checkpoint_once_the_other_is_written():
    rows, gone = Rows(), []

    def discard(digest: str) -> None:
        assert rows.trials[0].checkpoint is None
        assert rows.trials[0].released == "front"
        assert rows.trials[1].checkpoint == "digest 1"
        gone.append(digest)

    search = make_search(make_spec(), rows, discard=discard)
    assert end(search, 0.5, 2.0).checkpoint == "digest 0"
    assert gone == []
    assert end(search, 0.6, 1.0).checkpoint == "digest 1"
    assert gone == ["digest 0"]


def test_a_trial_without_a_retained_checkpoint_never_has_one_in_its_row():
    rows, gone = Rows(), []
    search = make_search(make_spec(), rows, discard=gone.append)
    end(search, 0.6, 1.0)
    beaten = end(search, 0.5, 2.0)
    assert (beaten.checkpoint, beaten.released) == (None, "front")
    assert rows.trials[1] == beaten
    pruned = end(search, 0.9, 0.5, Reason.PRUNED, checkpoint=None)
    assert (pruned.checkpoint, pruned.released) == (None, "front")
    assert gone == ["digest 1"]


def test_a_search_that_goes_on_under_another_policy_releases_at_once():
    rows, gone = Rows(), []
    search = make_search(make_spec(keep=Keep("all")), rows)
    for place in range(4):
        end(search, 0.5 + place / 10, 2.0)
    assert all(each.checkpoint for each in rows.trials.values())
    search = make_search(make_spec(keep=Keep("best", 2)), rows, discard=gone.append)
    assert gone == ["digest 0", "digest 1"]
    assert [each.released for each in search.trials] == ["best 2", "best 2", "", ""]
    make_search(make_spec(keep=Keep("best", 2)), rows, discard=gone.append)
    assert len(gone) == 2
