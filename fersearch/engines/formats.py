"""The memory formats that a study decided on for trials with the format `auto`.

The first decision for a shape of trials applies to all later ones. It is stored with the attempt that made it, so that
a resumed study decides the same.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from fersearch.study import StudySpec
from fersearch.trial import Trial

FACT, REHEARSAL = "memory_format", "rehearsal"


class Search(Protocol):
    """The part of the study's search that records facts."""

    spec: StudySpec

    def record_facts(self, number: int, facts: Mapping[str, Any]) -> None:
        """Record facts of a trial's attempt while it runs."""


def suggested_format(_number: int, rehearsal: Mapping[str, Any]) -> str:
    """Return the format that a rehearsal suggests, for engines without decisions of a study."""
    return str(rehearsal[FACT])


class Formats:
    """Decisions by shape; `note` is called once with each reason why a network fails in channels_last."""

    def __init__(self, trials: Sequence[Trial], note: Callable[[str], None]) -> None:
        self.known: dict[str, str] = {}
        self._note = note
        self._noted: set[str] = set()
        for facts in (attempt.facts for trial in trials for attempt in trial.attempts):
            if REHEARSAL in facts and FACT in facts:
                self.known.setdefault(facts[REHEARSAL]["shape"], facts[FACT])
                self._noted.add(facts[REHEARSAL].get("trouble", ""))

    def settle(self, search: Search, number: int, rehearsal: Mapping[str, Any]) -> str:
        """Return the format for the shape of a rehearsed trial, and record format and rehearsal with its attempt."""
        chosen = self.known.setdefault(rehearsal["shape"], rehearsal[FACT])
        facts = {name: value for name, value in rehearsal.items() if name != FACT}
        search.record_facts(number, {FACT: chosen, **({REHEARSAL: facts} if "seconds" in rehearsal else {})})
        trouble = rehearsal.get("trouble", "")
        if trouble and trouble not in self._noted:
            self._noted.add(trouble)
            name = rehearsal.get("architecture", search.spec.architecture)
            self._note(f"'{name}' is trained contiguous: in channels_last {trouble}")
        return chosen


def memory_format(trial: Trial) -> str | None:
    """Return the memory format that a trial was trained in so far; None if none is recorded."""
    known = [attempt.facts[FACT] for attempt in trial.attempts if FACT in attempt.facts]
    return str(known[-1]) if known else None
