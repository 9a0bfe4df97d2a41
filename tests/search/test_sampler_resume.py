"""A search that stops and goes on proposes what it would have proposed without stopping."""

from collections.abc import Callable

import pytest

from fersearch.search import Search
from fersearch.space import Choice, Float, Int, Space
from fersearch.trial import Epoch, Outcome, Reason, Trial
from tests.search.fakes import Rows, make_search, make_spec, run_trial

LENGTHS = {"tpe": 10, "random": 10, "qmc": 10, "grid": 10, "ofat": 3, "nsga2": 25}
FINITE = Space(
    {
        "epochs": Choice(8),
        "optimizer": Choice("sgd", "adam"),
        "nesterov": Choice(False, True, when={"optimizer": ("sgd",)}),
        "width": Int(4, 9),
        "batch_size": Choice(32, 64, 128),
    }
)
Run = Callable[[Search, int], list[Trial]]


def one_by_one(search: Search, trials: int) -> list[Trial]:
    return [run_trial(search, search.ask(), Reason.DONE) for _ in range(trials)]


def with_troubles(search: Search, trials: int) -> list[Trial]:
    """Every third trial is stopped after its second epoch, every fifth fails."""
    ran = []
    for _ in range(trials):
        trial = search.ask()
        troubles = [(5, Reason.ERROR, 1), (3, Reason.PRUNED, 2), (1, Reason.DONE, 8)]
        reason, epochs = next((r, e) for n, r, e in troubles if trial.number % n == 0)
        ran.append(run_trial(search, trial, reason, epochs))
    return ran


def two_at_once(search: Search, trials: int) -> list[Trial]:
    """Two trials run; the older one ends before the next is proposed; at the end both have ended."""
    ran, running = [], [search.ask()]
    for _ in range(trials - 1):
        running.append(search.ask())
        ran.append(run_trial(search, running.pop(0)))
    return [*ran, run_trial(search, running.pop())]


@pytest.mark.parametrize("run", [one_by_one, with_troubles, two_at_once])
@pytest.mark.parametrize("sampler", LENGTHS)
def test_a_resumed_search_equals_an_uninterrupted_one(sampler: str, run: Run) -> None:
    half, space = LENGTHS[sampler], {"space": FINITE} if sampler in ("grid", "ofat") else {}
    spec = make_spec(sampler, **space)
    whole = make_search(spec)
    expected = run(whole, half) + run(whole, half)
    rows = Rows()
    got = run(make_search(spec, rows), half) + run(make_search(spec, rows), half)
    assert [trial.params for trial in got] == [trial.params for trial in expected]
    assert [trial.values for trial in got] == [trial.values for trial in expected]
    assert len({str(trial.params) for trial in got}) == 2 * half


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "random", "qmc"])
def test_discarded_duplicates_leave_no_trace_in_a_resumed_search(sampler: str) -> None:
    """The space has 54 configurations: the last of 50 trials are drawn after many duplicates."""
    spec, rows = make_spec(sampler, FINITE), Rows()
    expected = one_by_one(make_search(spec), 50)
    got = one_by_one(make_search(spec, rows), 40) + one_by_one(make_search(spec, rows), 10)
    assert [trial.params for trial in got] == [trial.params for trial in expected]
    assert any(trial.sampler_state.get("skipped") for trial in got)


@pytest.mark.parametrize("sampler", [name for name in LENGTHS if name not in ("grid", "ofat")])
def test_a_search_killed_with_two_running_goes_on_as_if_they_still_ran(sampler: str) -> None:
    """The constant liar needs the running ones: they come back, and the proposals after them are the same."""
    half, rows = LENGTHS[sampler], Rows()
    spec = make_spec(sampler)
    whole, killed = make_search(spec), make_search(spec, rows)
    assert [t.params for t in one_by_one(whole, half)] == [t.params for t in one_by_one(killed, half)]
    assert [whole.ask().params, whole.ask().params] == [killed.ask().params, killed.ask().params]
    resumed = make_search(spec, rows)
    back = [resumed.ask(), resumed.ask()]
    assert [trial.number for trial in back] == [half, half + 1]
    assert [len(trial.attempts) for trial in back] == [2, 2]
    expected = [whole.ask().params for _ in range(3)]
    assert [resumed.ask().params for _ in range(3)] == expected


def test_nsga2_breeds_from_the_front_and_keeps_its_generations_over_a_resume() -> None:
    rows = Rows()
    one_by_one(make_search(make_spec("nsga2"), rows), 40)
    generations = [trial.sampler_state["trial"]["NSGAIISampler:generation"] for trial in rows.read_trials()]
    assert generations == sorted(generations)
    assert set(generations) == {0, 1, 2}
    trial = make_search(make_spec("nsga2"), rows).ask()
    assert trial.sampler_state["trial"]["NSGAIISampler:generation"] == 2


def test_tpe_learns_and_does_not_only_draw_by_chance() -> None:
    def late_widths(sampler: str) -> float:
        search = make_search(make_spec(sampler, Space({"epochs": Choice(8), "width": Float(0.0, 1.0)})))
        widths = []
        for _ in range(40):
            trial = search.ask()
            widths.append(trial.params["width"])
            score = {"f1_macro": 1 - abs(trial.params["width"] - 0.8), "train_seconds": 1.0, "peak_memory_mb": 1.0}
            finish_with(search, trial, score)
        return sum(abs(width - 0.8) for width in widths[20:]) / 20

    assert late_widths("tpe") < 0.5 * late_widths("random")


def finish_with(search: Search, trial: Trial, values: dict[str, float]) -> None:
    search.record(trial.number, Epoch(1, values, seconds=1.0))
    search.finish(trial.number, Outcome(Reason.DONE, kept_epoch=1), seconds=1.0)


def test_another_study_seed_gives_other_proposals() -> None:
    first = [make_search(make_spec("tpe", seed=seed)).ask().params for seed in (1, 2)]
    assert first[0] != first[1]


def test_the_gaussian_process_sampler_resumes_too() -> None:
    spec, rows = make_spec("gp"), Rows()
    expected = one_by_one(make_search(spec), 12)
    one_by_one(make_search(spec, rows), 11)
    assert make_search(spec, rows).ask().params == expected[11].params
