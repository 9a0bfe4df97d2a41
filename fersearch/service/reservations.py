"""Slots reserved for work beside the studies: each rerun of a trial holds one slot while it trains."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fersearch.service.shares import Demand

POLL_SECONDS = 0.2


@dataclass
class Reservation:
    """A request of an owner for one slot, to rerun a trial; `slot` is None until one is assigned.

    Keys are negative, so that they never equal the id of a study.
    """

    key: int
    owner: str
    study: str
    trial: int
    slot: int | None = None


class Reservations:
    """The reservations of a service, in order of arrival.

    The supervisor assigns slots by the same fair shares as for studies. An assigned slot is kept until its block ends,
    because a rerun cannot be paused.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._reservations: dict[int, Reservation] = {}
        self._keys = itertools.count(-1, -1)

    @asynccontextmanager
    async def slot(self, owner: str, study: str, trial: int) -> AsyncIterator[int]:
        """Wait for a slot, provide its number, and release it when the block ends."""
        reservation = Reservation(next(self._keys), owner, study, trial)
        self._reservations[reservation.key] = reservation
        self._wake()
        try:
            while reservation.slot is None:
                await asyncio.sleep(POLL_SECONDS)
            yield reservation.slot
        finally:
            del self._reservations[reservation.key]
            self._wake()

    def all(self) -> list[Reservation]:
        """Return the current reservations."""
        return list(self._reservations.values())


def demands(reservations: Sequence[Reservation]) -> list[Demand]:
    """Return the demand of each reservation: one slot."""
    return [Demand(one.key, one.owner, 1) for one in reservations]


def slots_of(reservations: Sequence[Reservation]) -> dict[int, list[int]]:
    """Return the slots that are assigned to each reservation, by key."""
    return {one.key: [] if one.slot is None else [one.slot] for one in reservations}


def assign(reservations: Sequence[Reservation], slots: Mapping[int, Sequence[int]]) -> None:
    """Assign the given slots to reservations that have none yet."""
    for one in reservations:
        if one.slot is None and slots[one.key]:
            one.slot = slots[one.key][0]
