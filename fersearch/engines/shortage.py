"""A full disk under a running study: nothing new is started until there is room."""

import math
import platform
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

PATIENCE = 60.0  # seconds that a full disk is waited for, before a trial is tried on it again


class Shortage:
    """What the trials that ended for lack of disk need: `note` is told once when it begins."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._folder = Path()
        self._bytes = 0
        self._until = 0.0
        self._roomy = -math.inf  # when there was last said to be room
        self._blind = False

    def hear(self, facts: Mapping[str, Any]) -> None:
        """Take in how an attempt ended: `lacking_disk` names a folder and how many bytes it had no room for.

        Where the room that is seen from here is none (a quota, another node's disk) it is waited for without looking.
        """
        lacking = facts.get("lacking_disk")
        if lacking is None:
            return
        if not self.lasts:
            self._note(f"the disk is full at {lacking['folder']}: no trial starts until there is room")
        self._folder, self._bytes = Path(lacking["folder"]), int(lacking["bytes"])
        now = time.monotonic()
        self._blind = now - self._roomy < PATIENCE or facts.get("node", platform.node()) != platform.node()
        self._until = now + PATIENCE

    @property
    def lasts(self) -> bool:
        """Whether there is no room yet for twice what was lacking, and it has not been waited for long enough."""
        if time.monotonic() >= self._until:
            return False
        if not self._blind and self._free() > 2 * self._bytes:
            self._until, self._roomy = 0.0, time.monotonic()
        return self._until > 0

    def _free(self) -> int:
        """The bytes that are free in the folder, or in the nearest above it that there is."""
        folder = next(place for place in (self._folder, *self._folder.parents) if place.exists())
        return shutil.disk_usage(folder).free
