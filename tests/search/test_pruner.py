"""Early stopping by Pareto rank: properties of the rule, and its explanations for users."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fersearch.pareto import epsilon_net, fronts
from fersearch.search.pruner import MIN_PEERS, Levels, NoPruner, ParetoPruner, Verdict, rungs
from fersearch.study import Objective
from fersearch.trial import Epoch
from tests.search.fakes import METRICS, OBJECTIVES

LOSS = st.integers(-3, 3).map(float) | st.floats(-100, 100) | st.just(math.inf)
VOTES = st.integers(1, 3).flatmap(
    lambda d: st.lists(st.tuples(*[LOSS] * d), min_size=1, max_size=14).map(lambda rows: dict(enumerate(rows)))
)
F1 = (Objective("f1_macro", "max"),)


def rank_of(number: int, votes: dict[int, tuple[float, ...]]) -> int:
    """The rank of a vote among all, which came in the order of the dict."""
    levels = Levels()
    for other, losses in votes.items():
        levels.put(other, losses)
    return levels.rank(number)


def sorted_rank(number: int, votes: dict[int, tuple[float, ...]]) -> int:
    """The same by sorting all votes into fronts."""
    numbers = sorted(votes)
    points = [votes[n] for n in numbers]
    ahead = 0
    for front in fronts(points):
        if numbers.index(number) in front:
            order = epsilon_net([points[i] for i in front])
            return ahead + 1 + next(k for k, i in enumerate(order) if points[front[i]] == votes[number])
        ahead += len(front)
    raise KeyError(number)


def epoch(number: int, f1: float, seconds: float = 1.0, memory: float = 1.0) -> Epoch:
    return Epoch(number, {"f1_macro": f1, "train_seconds": seconds, "peak_memory_mb": memory}, seconds=1.0)


def judge_all(pruner: ParetoPruner, epochs: list[Epoch], planned: int = 12) -> list[Verdict]:
    return [pruner.judge(number, each, planned) for number, each in enumerate(epochs)]


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [(12, (1, 2, 4, 8)), (1, ()), (2, (1,)), (20, (1, 2, 4, 8, 16)), (24, (2, 4, 8, 16)), (100, (8, 16, 32, 64))],
)
def test_rungs_start_at_a_twelfth_and_double(epochs: int, expected: tuple[int, ...]) -> None:
    assert rungs(epochs) == expected


@given(st.integers(1, 2000))
def test_the_last_epoch_is_no_rung(epochs: int) -> None:
    assert all(1 <= rung < epochs for rung in rungs(epochs))


@given(VOTES, VOTES)
def test_ranks_equal_a_full_sort_whatever_was_added_and_replaced(
    votes: dict[int, tuple[float, ...]], later: dict[int, tuple[float, ...]]
) -> None:
    width = len(votes[0])
    again = {number: losses for number, losses in later.items() if len(losses) == width}
    levels = Levels()
    for number, losses in (*votes.items(), *again.items()):
        levels.put(number, losses)
    after = {**votes, **again}
    assert len(levels) == len(after)
    assert {n: levels.rank(n) for n in after} == {n: sorted_rank(n, after) for n in after}


@given(VOTES)
def test_a_rung_keeps_at_least_the_better_half(votes: dict[int, tuple[float, ...]]) -> None:
    half = math.ceil(len(votes) / 2)
    assert sum(rank_of(number, votes) <= half for number in votes) >= half


@given(VOTES)
def test_a_dominated_trial_never_ranks_before_the_one_that_dominates_it(votes: dict[int, tuple[float, ...]]) -> None:
    for a, b in itertools.permutations(votes, 2):
        if all(x <= y for x, y in zip(votes[a], votes[b], strict=True)):
            assert rank_of(a, votes) <= rank_of(b, votes)


@given(VOTES, st.randoms(use_true_random=False))
def test_ranks_do_not_depend_on_who_came_first(votes: dict[int, tuple[float, ...]], chance: object) -> None:
    mixed = list(votes.items())
    chance.shuffle(mixed)
    assert {n: rank_of(n, dict(mixed)) for n in votes} == {n: rank_of(n, votes) for n in votes}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=MIN_PEERS - 1))
def test_nobody_stops_before_enough_trials_have_come(scores: list[float]) -> None:
    pruner = ParetoPruner(OBJECTIVES, METRICS, 12)
    assert not any(verdict.stop for verdict in judge_all(pruner, [epoch(1, score) for score in scores]))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.integers(1, 12))
def test_nobody_stops_at_the_last_planned_epoch_or_off_a_rung(scores: list[float], number: int) -> None:
    pruner = ParetoPruner(F1, METRICS, 12)
    for verdict in judge_all(pruner, [epoch(number, score) for score in scores], planned=number):
        assert not verdict.stop
        assert (verdict.rung == number) == (number in rungs(12))


@given(st.lists(st.floats(0, 1), min_size=4, max_size=20, unique=True))
def test_one_objective_gives_plain_successive_halving(scores: list[float]) -> None:
    verdicts = judge_all(ParetoPruner(F1, METRICS, 12), [epoch(1, score) for score in scores])
    for n, verdict in enumerate(verdicts[3:], start=4):
        rank = 1 + sum(other > scores[n - 1] for other in scores[:n])
        assert (verdict.rank, verdict.peers, verdict.kept) == (rank, n, math.ceil(n / 2))
        assert verdict.stop == (rank > math.ceil(n / 2))


@given(st.lists(st.tuples(*[st.floats(0.01, 1)] * 3), min_size=4, max_size=12))
def test_the_best_by_the_first_objective_never_stops(scores: list[tuple[float, float, float]]) -> None:
    pruner = ParetoPruner(OBJECTIVES, METRICS, 12)
    judge_all(pruner, [epoch(1, *score) for score in scores])
    best = max(score[0] for score in scores)
    assert not pruner.judge(99, epoch(1, best + 0.1, 50, 50), 12).stop


def test_the_direction_of_an_objective_counts() -> None:
    losses = ParetoPruner((Objective("log_loss", "min"),), {}, 12)
    verdicts = [losses.judge(n, Epoch(1, {"log_loss": float(n)}, 1.0), 12) for n in range(5)]
    assert [verdict.stop for verdict in verdicts] == [False, False, False, True, True]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
def test_an_undefined_or_missing_value_is_the_worst(value: float | None) -> None:
    pruner = ParetoPruner(F1, METRICS, 12)
    judge_all(pruner, [epoch(1, score) for score in (0.1, 0.2, 0.3)])
    values = {} if value is None else {"f1_macro": value}
    verdict = pruner.judge(3, Epoch(1, values, 1.0), 12)
    assert (verdict.stop, verdict.rank) == (True, 4)


def test_equal_trials_share_a_fate() -> None:
    verdicts = judge_all(ParetoPruner(OBJECTIVES, METRICS, 12), [epoch(1, 0.5)] * 10)
    assert [verdict.rank for verdict in verdicts[3:]] == [1] * 7


def test_costs_are_projected_to_each_trials_own_budget() -> None:
    """10 s an epoch for 3 epochs cost less than 4 s an epoch for 12, though more has gone by at the rung."""
    pruner = ParetoPruner((Objective("train_seconds", "min"),), METRICS, 12)
    for number in range(3):
        pruner.judge(number, epoch(2, 0.5, seconds=8.0), 12)
    assert pruner.judge(3, epoch(2, 0.5, seconds=20.0), 3).rank == 1
    assert pruner.judge(4, epoch(2, 0.5, seconds=20.0), 12).stop


def test_costs_on_a_log_scale_are_compared_by_their_ratios() -> None:
    """All five stand on one front; 400 s is near 1000 s as a ratio, and far from it as a difference."""
    pruner = ParetoPruner(OBJECTIVES[:2], METRICS, 12, rules=1)
    for number, (f1, seconds) in enumerate([(0.9, 1000.0), (0.1, 1.0), (0.5, 30.0), (0.4, 20.0)]):
        pruner.judge(number, epoch(1, f1, seconds), 12)
    assert pruner.judge(4, epoch(1, 0.85, 400.0), 12).rank > 3


@given(st.lists(st.tuples(*[st.sampled_from([0.1, 0.2, 0.4, 0.8])] * 3), min_size=4, max_size=24))
def test_the_second_rules_differ_only_on_the_first_front(scores: list[tuple[float, float, float]]) -> None:
    """None of it is stopped; everywhere else both decide alike."""
    first, second = (ParetoPruner(OBJECTIVES, METRICS, 12, rules=rules) for rules in (1, 2))
    for number, score in enumerate(scores):
        came = [[-f1, seconds, memory] for f1, seconds, memory in scores[: number + 1]]
        before, after = (pruner.judge(number, epoch(1, *score), 12) for pruner in (first, second))
        if number in fronts(came)[0]:
            assert not after.stop
        else:
            assert after.stop == before.stop
        assert (after.peers, after.kept) == (before.peers, before.kept)


def test_the_reason_says_that_the_first_front_is_never_stopped() -> None:
    pruner = ParetoPruner(OBJECTIVES, METRICS, 12)
    judge_all(pruner, [epoch(1, 0.1 * n, seconds=float(n)) for n in range(1, 9)])
    verdict = pruner.judge(9, epoch(1, 0.05, seconds=0.5), 12)
    assert verdict.reason == "went on at epoch 1: on the first front of 9 trials, where none is stopped"
    assert (verdict.rank, verdict.kept, verdict.stop) == (1, 5, False)


def test_a_resumed_trial_votes_once() -> None:
    pruner = ParetoPruner(F1, METRICS, 12)
    first = judge_all(pruner, [epoch(1, score) for score in (0.1, 0.2, 0.3, 0.15)])
    assert pruner.judge(3, epoch(1, 0.15), 12) == first[3]


def test_votes_taken_in_later_give_the_same_verdict() -> None:
    lived, rebuilt = ParetoPruner(OBJECTIVES, METRICS, 12), ParetoPruner(OBJECTIVES, METRICS, 12)
    epochs = [epoch(2, 0.1 * n, seconds=1.0 + n % 3, memory=5.0 - n % 2) for n in range(9)]
    verdicts = judge_all(lived, epochs)
    for number in reversed(range(8)):
        rebuilt.vote(number, epochs[number], 12)
    assert rebuilt.judge(8, epochs[8], 12) == verdicts[8]


def test_the_reason_says_where_how_ranked_and_who_goes_on() -> None:
    pruner = ParetoPruner(F1, METRICS, 12)
    judge_all(pruner, [epoch(4, 1 - n / 20) for n in range(11)])
    stopped, went = pruner.judge(11, epoch(4, 0.62), 12), pruner.judge(12, epoch(4, 0.99), 12)
    assert stopped.reason == "stopped at epoch 4: rank 9 of 12 by Pareto fronts; the best 6 go on"
    assert went.reason == "went on at epoch 4: rank 2 of 13 by Pareto fronts; the best 7 go on"
    assert stopped.to_json()["rank"] == 9


def test_the_reason_says_when_too_few_have_come() -> None:
    verdict = ParetoPruner(F1, METRICS, 12).judge(0, epoch(1, 0.5), 12)
    assert verdict.reason == "went on at epoch 1: 1 trial has reached it so far, 4 are needed to compare"


def test_no_pruner_never_stops() -> None:
    assert not any(NoPruner().judge(n, epoch(1, 0.0), 12).stop for n in range(20))
