"""How much costs differ between trainings of one configuration, over all studies of a database."""

from collections import defaultdict
from statistics import median

from sqlalchemy import Connection, and_, or_, select

from fersearch.formatting import varies
from fersearch.store.tables import trial_values
from fersearch.trial import SPREAD, STD


def cost_spreads(connection: Connection) -> dict[str, float]:
    """Return the relative deviation of each cost from one training to the next: medians over trials trained again.

    A trial was trained again if it has several rounds, or if a refit or a finish repeated it. Studies of every owner,
    host and device of the database count.
    """
    own, base = trial_values.alias(), trial_values.alias()
    same_trial = and_(base.c.study_id == own.c.study_id, base.c.trial == own.c.trial, base.c.name + STD == own.c.name)
    again = or_(*(own.c.name.endswith(ending, autoescape=True) for ending in (STD, SPREAD)))
    columns = (own.c.study_id, own.c.trial, own.c.name, own.c.value, base.c.value)
    rows = connection.execute(select(*columns).select_from(own.outerjoin(base, same_trial)).where(again)).all()
    known: dict[str, dict[tuple[int, int], float]] = defaultdict(dict)
    for study, trial, name, value, of_mean in rows:
        metric = name.removesuffix(SPREAD).removesuffix(STD)
        if value is None or not varies(metric):
            continue
        if name.endswith(SPREAD):
            known[metric][study, trial] = value
        elif of_mean:
            known[metric].setdefault((study, trial), value / of_mean)
    return {metric: median(deviations.values()) for metric, deviations in known.items()}
