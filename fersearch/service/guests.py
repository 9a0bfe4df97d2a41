"""Work beside the studies that takes one slot for a while: reruns of trials, for which somebody waits."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fersearch.service.shares import Demand

LOOK_SECONDS = 0.2


@dataclass
class Guest:
    """Who wants a slot, for which trial; `slot` is its number once it has one. Keys are no ids of studies."""

    key: int
    owner: str
    study: str
    trial: int
    slot: int | None = None


class Guests:
    """Those who wait for a slot and those who have one, first come first.

    A slot is given by the supervisor, fairly among the owners as to studies, and is nobody else's until its guest
    leaves it, for a rerun does not pause.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._guests: dict[int, Guest] = {}
        self._keys = itertools.count(-1, -1)

    @asynccontextmanager
    async def slot(self, owner: str, study: str, trial: int) -> AsyncIterator[int]:
        """Wait for a slot and provide its number; it is given back at the end of the block."""
        guest = Guest(next(self._keys), owner, study, trial)
        self._guests[guest.key] = guest
        self._wake()
        try:
            while guest.slot is None:
                await asyncio.sleep(LOOK_SECONDS)
            yield guest.slot
        finally:
            del self._guests[guest.key]
            self._wake()

    def all(self) -> list[Guest]:
        """Return those who are here now."""
        return list(self._guests.values())


def demands(guests: Sequence[Guest]) -> list[Demand]:
    """Return what guests want: a slot each."""
    return [Demand(guest.key, guest.owner, 1) for guest in guests]


def held(guests: Sequence[Guest]) -> dict[int, list[int]]:
    """Return the slots that guests have, by key."""
    return {guest.key: [] if guest.slot is None else [guest.slot] for guest in guests}


def seat(guests: Sequence[Guest], given: Mapping[int, Sequence[int]]) -> None:
    """Give guests without a slot those that fell to them."""
    for guest in guests:
        if guest.slot is None and given[guest.key]:
            guest.slot = given[guest.key][0]
