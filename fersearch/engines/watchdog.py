"""Notices a trial process that gives no sign of life."""

import time
from collections.abc import Mapping
from typing import Any

from fersearch.durations import brief
from fersearch.trial import Outcome, Reason

HUNG_AFTER = 600.0
"""For how many seconds a trial process may give no sign of life, unless a study's run says otherwise."""

LEAST = 3.0
"""Seconds of silence that say nothing yet: a trial process gives a sign about once a second."""

PRELOAD = 600.0
"""Seconds that a fork server may take at least to load what trials need, before it forks one."""

NAP = 1.0
"""The longest time in seconds between two looks that counts: whoever looks later was itself asleep or stopped."""


class Watchdog:
    """How long a trial process has been silent while it was its turn to speak.

    Whoever holds the process tells what was heard from it and what was said to it, and looks often.
    `limit` is the silence in seconds that it may keep, 0 for any.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._silent = 0.0
        self._looked = time.monotonic()
        self._begun = self._waits = False
        self._epoch = 0

    def heard(self, word: Mapping[str, Any]) -> None:
        """The process said something; with its pid it begins, and after an epoch it waits for the decision."""
        self._silent = 0.0
        self._begun |= "pid" in word
        if "epoch" in word:
            self._epoch, self._waits = word["epoch"]["number"], True

    def said(self, word: Mapping[str, Any]) -> None:
        """The process was told something: what it is to do, or the decision that it waited for."""
        if "request" in word:
            self._epoch = word["request"].get("recorded", 0)
        elif "decision" in word:
            self._silent, self._waits = 0.0, False

    def look(self) -> Outcome | None:
        """The outcome of the attempt if the process hangs."""
        now = time.monotonic()
        passed, self._looked = min(now - self._looked, NAP), now
        self._silent += 0.0 if self._waits else passed
        limit = self._limit if self._begun else max(self._limit, PRELOAD)
        if not self._limit or self._silent <= limit:
            return None
        place = f"after epoch {self._epoch}" if self._epoch else "in its first epoch"
        return Outcome(
            Reason.HUNG,
            f"the process gave no sign of life for {brief(limit)}, {place if self._begun else 'before it began'}",
        )
