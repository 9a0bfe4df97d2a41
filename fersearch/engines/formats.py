"""The memory formats that a study decided on for trials that leave it to a rehearsal.

The first decision for a shape of trials holds for all later ones. It is kept with the attempt that made it, so that a
study which goes on decides the same.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from fersearch.study import StudySpec
from fersearch.trial import Trial

FACT, REHEARSAL = "memory_format", "rehearsal"


class Search(Protocol):
    """What is asked of the study's search."""

    spec: StudySpec

    def learned(self, number: int, facts: Mapping[str, Any]) -> None:
        """Record facts of a trial's attempt while it runs."""


def as_found(_number: int, told: Mapping[str, Any]) -> str:
    """Return the format that a rehearsal speaks for, where nothing is decided for others."""
    return str(told[FACT])


class Formats:
    """Decisions by shape; `note` is told once what a network fails by in channels_last."""

    def __init__(self, trials: Sequence[Trial], note: Callable[[str], None]) -> None:
        self.known: dict[str, str] = {}
        self._note = note
        self._told: set[str] = set()
        for facts in (attempt.facts for trial in trials for attempt in trial.attempts):
            if REHEARSAL in facts and FACT in facts:
                self.known.setdefault(facts[REHEARSAL]["shape"], facts[FACT])
                self._told.add(facts[REHEARSAL].get("trouble", ""))

    def settle(self, search: Search, number: int, told: Mapping[str, Any]) -> str:
        """Return the format for the shape of a trial that has told what it found, and record both with its attempt."""
        chosen = self.known.setdefault(told["shape"], told[FACT])
        found = {name: value for name, value in told.items() if name != FACT}
        search.learned(number, {FACT: chosen, **({REHEARSAL: found} if "seconds" in told else {})})
        trouble = told.get("trouble", "")
        if trouble and trouble not in self._told:
            self._told.add(trouble)
            name = told.get("architecture", search.spec.architecture)
            self._note(f"'{name}' is trained contiguous: in channels_last {trouble}")
        return chosen


def memory_format(trial: Trial) -> str | None:
    """Return the memory format that a trial was trained in so far; None if none is recorded."""
    known = [attempt.facts[FACT] for attempt in trial.attempts if FACT in attempt.facts]
    return str(known[-1]) if known else None
