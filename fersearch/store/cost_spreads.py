"""How much costs differ between trainings of one configuration, on this machine where that is known."""

import platform
from collections import defaultdict
from collections.abc import Mapping
from statistics import median

from sqlalchemy import Connection, and_, or_, select

from fersearch.formatting import varies
from fersearch.store.tables import environments, trial_values
from fersearch.trial import SPREAD, STD

TrialKey = tuple[int, int]
"""The id of a study and the number of a trial."""


def cost_spreads(connection: Connection) -> dict[str, float]:
    """Return the relative deviation of each cost from one training to the next: medians over trials trained again.

    A trial was trained again if it has several rounds, or if a refit or a finish repeated it. The studies that only
    this machine drove count, of every owner and device; for a cost that they do not know, all studies of the database.
    """
    known = _deviations(connection)
    here = _driven_here(connection) if known else frozenset()
    return {metric: median(_preferred(deviations, here)) for metric, deviations in known.items()}


def _preferred(deviations: Mapping[TrialKey, float], here: frozenset[int]) -> list[float]:
    """Return the deviations of the studies `here`, or all where there are none."""
    return [deviation for (study, _), deviation in deviations.items() if study in here] or list(deviations.values())


def _driven_here(connection: Connection) -> frozenset[int]:
    """Return the ids of the studies whose every driver ran on this machine."""
    hosts: dict[int, set[str]] = defaultdict(set)
    for study, facts in connection.execute(select(environments.c.study_id, environments.c.facts)):
        if facts.get("role") == "driver":
            hosts[study].add(facts.get("host", ""))
    return frozenset(study for study, names in hosts.items() if names == {platform.node()})


def _deviations(connection: Connection) -> Mapping[str, Mapping[TrialKey, float]]:
    """Return the relative deviation of each cost in each trial that was trained again."""
    own, base = trial_values.alias(), trial_values.alias()
    same_trial = and_(base.c.study_id == own.c.study_id, base.c.trial == own.c.trial, base.c.name + STD == own.c.name)
    again = or_(*(own.c.name.endswith(ending, autoescape=True) for ending in (STD, SPREAD)))
    columns = (own.c.study_id, own.c.trial, own.c.name, own.c.value, base.c.value)
    rows = connection.execute(select(*columns).select_from(own.outerjoin(base, same_trial)).where(again)).all()
    known: dict[str, dict[TrialKey, float]] = defaultdict(dict)
    for study, trial, name, value, of_mean in rows:
        metric = name.removesuffix(SPREAD).removesuffix(STD)
        if value is None or not varies(metric):
            continue
        if name.endswith(SPREAD):
            known[metric][study, trial] = value
        elif of_mean:
            known[metric].setdefault((study, trial), value / of_mean)
    return known
