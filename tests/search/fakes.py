"""A writer that keeps rows in memory, a small conditional space, and trials that need no training."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fersearch.components import Evaluation, Metric
from fersearch.search import Search
from fersearch.search.history import reached
from fersearch.space import Choice, Float, Int, Space
from fersearch.study import Budget, Objective, StudySpec
from fersearch.trial import Attempt, Decision, Enqueued, Epoch, Outcome, Reason, Trial, TrialState

OBJECTIVES = (Objective("f1_macro", "max"), Objective("train_seconds", "min"), Objective("peak_memory_mb", "min"))
SPACE = Space(
    {
        "epochs": Choice(8),
        "optimizer": Choice("sgd", "adam"),
        "learning_rate": Float(1e-4, 1e-1, log=True),
        "momentum": Float(0.5, 0.99, when={"optimizer": ("sgd",)}),
        "nesterov": Choice(False, True, when={"optimizer": ("sgd",)}),
        "width": Int(4, 64, log=True),
        "batch_size": Choice(32, 64, 128),
    }
)


class F1(Metric):
    name = "f1_macro"

    def compute(self, evaluation: Evaluation) -> float:
        return 0.0


class Seconds(Metric):
    name = "train_seconds"
    direction = "min"
    measured = cumulative = whole_trial = log_scale = True

    def compute(self, evaluation: Evaluation) -> float:
        return 0.0


class Memory(Metric):
    name = "peak_memory_mb"
    direction = "min"
    measured = whole_trial = log_scale = True

    def compute(self, evaluation: Evaluation) -> float:
        return 0.0


METRICS: dict[str, Metric] = {metric.name: metric for metric in (F1(), Seconds(), Memory())}


@dataclass
class Rows:
    """What a database would hold. Reading it back goes through JSON, as a database would have it."""

    trials: dict[int, Trial] = field(default_factory=dict)
    attempts: dict[tuple[int, int], Attempt] = field(default_factory=dict)
    epochs: dict[tuple[int, int], dict[int, Epoch]] = field(default_factory=dict)
    facts: list[Mapping[str, Any]] = field(default_factory=list)
    fronts: list[list[int]] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)

    def add_trial(self, trial: Trial) -> None:
        self.trials[trial.number] = trial

    def withdraw(self, wanted: Enqueued) -> None:
        self.withdrawn.append(wanted.uid)

    def start_attempt(self, number: int, attempt: Attempt) -> None:
        self.attempts[number, attempt.number] = attempt
        self.trials[number] = replace(self.trials[number], state=TrialState.RUNNING)

    def record(self, number: int, attempt: int, epoch: Epoch) -> None:
        self.epochs.setdefault((number, attempt), {})[epoch.number] = epoch
        self.attempts[number, attempt] = reached(self.attempts[number, attempt], epoch.number)

    def end_attempt(self, trial: Trial, attempt: Attempt, facts: Mapping[str, Any]) -> None:
        self.trials[trial.number] = trial
        self.attempts[trial.number, attempt.number] = attempt
        self.facts.append(facts)

    def update_trial(self, trial: Trial) -> None:
        self.trials[trial.number] = trial

    def release(self, trial: Trial) -> None:
        self.trials[trial.number] = trial

    def forget_epochs(self, number: int, attempt: int) -> None:
        self.epochs = {key: known for key, known in self.epochs.items() if key[0] != number or key[1] >= attempt}

    def front_changed(self, numbers: Sequence[int]) -> None:
        self.fronts.append(list(numbers))

    def read_trials(self) -> list[Trial]:
        return [self._read(self.trials[number]) for number in sorted(self.trials)]

    def read_history(self) -> dict[int, list[Epoch]]:
        history: dict[int, dict[int, Epoch]] = {}
        for (number, _), epochs in sorted(self.epochs.items()):
            history.setdefault(number, {}).update(epochs)
        return {number: [epochs[k] for k in sorted(epochs)] for number, epochs in history.items()}

    def _read(self, trial: Trial) -> Trial:
        attempts = tuple(self.attempts[key] for key in sorted(self.attempts) if key[0] == trial.number)
        stored = {name: getattr(trial, name) for name in ("params", "values", "space", "sampler_state", "verdict")}
        return replace(trial, attempts=attempts, **json.loads(json.dumps(stored)))


@dataclass
class Study:
    spec: StudySpec


def make_spec(sampler: str = "random", space: Space = SPACE, trials: int = 1000, **options: Any) -> StudySpec:
    options = {"objectives": OBJECTIVES, "seed": 3, "pruner": "none", **options}
    return StudySpec("s", "cnn", "faces", space=space, sampler=sampler, budget=Budget(trials), **options)


def make_search(spec: StudySpec, rows: Rows | None = None, **options: Any) -> Search:
    rows = rows or Rows()
    return Search(Study(spec), rows.read_trials(), rows.read_history(), rows, METRICS, {"f1_macro": 0.05}, **options)


def epoch_of(trial: Trial, number: int) -> Epoch:
    """What an imagined training gives: numbers that depend on nothing but the parameters and the epoch."""
    chance = random.Random(json.dumps(trial.params, sort_keys=True))
    quality, cost, memory = chance.uniform(0.1, 0.9), chance.uniform(1, 9), chance.uniform(50, 500)
    learned = quality * (1 - 0.7**number)
    values = {"f1_macro": learned, "train_seconds": cost * number, "peak_memory_mb": memory}
    return Epoch(number, values, seconds=cost, confusion=[[1, 0], [0, 1]])


def run_trial(search: Search, trial: Trial, reason: Reason = Reason.DONE, epochs: int = 8, first: int = 1) -> Trial:
    """Run a trial to its end, to the brain's STOP, or to `epochs`, then finish it for the reason given."""
    done = 0
    for number in range(first, epochs + 1):
        done = number
        if search.record(trial.number, epoch_of(trial, number)) is Decision.STOP:
            reason = Reason.PRUNED
            break
    stored = done if reason is Reason.DONE else None
    return search.finish(trial.number, Outcome(reason, kept_epoch=stored), seconds=1.0)
