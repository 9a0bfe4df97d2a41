"""The observers of a run: parsed from its options, found among the plugins, and fed with the driver's events."""

import os
import shlex
import time
from collections.abc import Mapping, Sequence
from typing import Any

from fersearch.blame import blaming
from fersearch.context import components
from fersearch.engines.observer_thread import ObserverThread
from fersearch.errors import UsageError, suggestion
from fersearch.observer import ObservedStudy, Observer, StudyObserver
from fersearch.study import StudyState
from fersearch.trial import Decision, Epoch, Trial

FORM = "write NAME, or NAME:OPTION=VALUE,OPTION=VALUE, as tensorboard:folder=runs"
LAST_SECONDS = 10.0
"""Seconds that all observers together may take for their remaining events at the end of a run."""
RequestedObserver = tuple[StudyObserver, Mapping[str, str]]


class Observers(Observer):
    """The display of a run and the observers of its study, whose failures the display notes.

    `state` is the study's state after the run; the driver sets it before `close`.
    """

    def __init__(
        self, display: Observer, requested: Sequence[RequestedObserver], patience: float = LAST_SECONDS
    ) -> None:
        self.state = StudyState.IDLE
        self.patience = patience
        self._display = display
        self._threads = [ObserverThread(observer, options) for observer, options in requested]

    def preparing(self, done: int, total: int) -> None:
        """Pass on the number of prepared images."""
        self._display.preparing(done, total)

    def begin(self, study: Any, total: int, ended: Sequence[Trial], slots: int, rounds: int = 1) -> None:
        """Start the observers."""
        self._display.begin(study, total, ended, slots, rounds)
        for thread in self._threads:
            thread.begin(ObservedStudy(study.name, study.uid, study.spec))

    def started(self, trial: Trial, slot: int) -> None:
        """Pass on that a trial started in a slot."""
        self._display.started(trial, slot)
        self._notify("trial_started", trial)

    def epoch(self, trial: Trial, epoch: Epoch, decision: Decision) -> None:
        """Pass on an epoch."""
        self._display.epoch(trial, epoch, decision)
        self._notify("epoch_ended", trial, epoch)

    def ended(self, trial: Trial) -> None:
        """Pass on that a trial ended."""
        self._display.ended(trial)
        self._notify("trial_ended", trial)

    def note(self, text: str) -> None:
        """Pass on a message for the user."""
        self._display.note(text)

    def tick(self) -> None:
        """Pass on that time passed, and the notes on observers."""
        self._display.tick()
        self._report()

    def end(self) -> None:
        """Pass on that the run has ended."""
        self._display.end()

    def close(self) -> None:
        """Tell the observers that the run has ended, and wait for them at most `LAST_SECONDS`."""
        deadline = time.monotonic() + self.patience
        for thread in self._threads:
            thread.end(self.state)
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._report()

    def _notify(self, what: str, *facts: Any) -> None:
        for thread in self._threads:
            thread.enqueue(what, *facts)

    def _report(self) -> None:
        for thread in self._threads:
            for line in thread.drain_notes():
                self._display.note(line)


def find(observers: Sequence[str] | None) -> list[RequestedObserver]:
    """Return the requested observers with their options.

    Args:
        observers: as in `RunOptions.observe`.

    Raises:
        UsageError: a text has the wrong form, or there is no such observer.
    """
    requested = [_read(text) for text in (default_observers() if observers is None else observers)]
    registry = components() if requested else None
    return [(registry.observer(name), options) for name, options in requested] if registry else []


def check_observers(observers: Sequence[str] | None) -> None:
    """Check, before a run, that its observers exist and can work.

    Raises:
        UsageError: a text has the wrong form, or there is no such observer or option.
        FersearchError: an observer cannot work, as where its library is missing.
    """
    for observer, options in find(observers):
        _check(observer, options)


def default_observers() -> list[str]:
    """Return the observers of `FERSEARCH_OBSERVE`; UsageError for an unclosed quote."""
    text = os.environ.get("FERSEARCH_OBSERVE", "")
    try:
        return shlex.split(text)
    except ValueError:
        raise UsageError(f"FERSEARCH_OBSERVE has a quote that is not closed: {text}", "close it") from None


def _read(text: str) -> tuple[str, dict[str, str]]:
    name, colon, rest = text.partition(":")
    pairs = [pair.partition("=") for pair in rest.split(",")] if colon else []
    if not name.strip() or not all(key.strip() and value.strip() for key, _, value in pairs):
        raise UsageError(f"--observe '{text}' does not name an observer", FORM)
    return name.strip(), {key.strip().replace("-", "_"): value.strip() for key, _, value in pairs}


def _check(observer: StudyObserver, options: Mapping[str, str]) -> None:
    for name in options:
        if name not in observer.options:
            message = f"observer '{observer.name}' has no option '{name}'"
            raise UsageError(message, suggestion(name, observer.options))
    with blaming(observer):
        observer.check(options)
