"""Share the slots of a service among owners and their studies; pure functions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Demand:
    """The number of slots that a study could use now, and its owner."""

    study: int
    owner: str
    wants: int


@dataclass(frozen=True)
class Share:
    """An owner's share: slots in proportion to `weight`, at most `most` (None: no limit)."""

    weight: float = 1.0
    most: int | None = None


def counts(demands: Sequence[Demand], total: int, shares: Mapping[str, Share]) -> dict[int, int]:
    """Return the number of slots that each study gets out of `total`; 0 if it has to wait.

    Slots go one by one to the owner who has the fewest for their weight and wants another (weighted max-min
    fairness); among an owner's studies to the one that was sent first, until it wants no more.
    """
    assigned = {demand.study: 0 for demand in demands}
    owned = dict.fromkeys((demand.owner for demand in demands), 0)
    for _ in range(total):
        hungry = _hungry(demands, assigned, owned, shares)
        if not hungry:
            break
        owner = min(hungry, key=lambda name: (owned[name] + 1) / _share(shares, name).weight)
        assigned[hungry[owner]] += 1
        owned[owner] += 1
    return assigned


def slots(
    counts: Mapping[int, int], previous: Mapping[int, Collection[int]], busy: Collection[int], total: int
) -> dict[int, list[int]]:
    """Return the numbers of the slots that each study may use, close to its `previous` ones.

    `busy` are slots that a driver holds, those among them that were taken from it but not left yet: nobody else gets
    them meanwhile.
    """
    assigned = {study: sorted(previous.get(study, ()))[:count] for study, count in counts.items()}
    occupied = {slot for slots in assigned.values() for slot in slots} | set(busy)
    free = [slot for slot in range(total) if slot not in occupied]
    for study, count in counts.items():
        more = count - len(assigned[study])
        assigned[study] += free[:more]
        free = free[max(more, 0) :]
    return assigned


def _hungry(
    demands: Sequence[Demand], counts: Mapping[int, int], owned: Mapping[str, int], shares: Mapping[str, Share]
) -> dict[str, int]:
    """Return the owners that may get and can use another slot, each with its earliest study that can use it."""
    hungry: dict[str, int] = {}
    for demand in demands:
        most = _share(shares, demand.owner).most
        if counts[demand.study] < demand.wants and (most is None or owned[demand.owner] < most):
            hungry.setdefault(demand.owner, demand.study)
    return hungry


def _share(shares: Mapping[str, Share], owner: str) -> Share:
    return shares.get(owner, Share())
