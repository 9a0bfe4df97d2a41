"""The warm start of a study: trials of another one for its sampler, and configurations to try first."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, insert, select

from fersearch.store.control import ENQUEUE, add_request
from fersearch.store.database import Database
from fersearch.store.tables import prior_trials
from fersearch.trial import Enqueued, Trial, TrialState


@dataclass(frozen=True)
class WarmStart:
    """Trials `prior` to a study, by their numbers in another one, and configurations that are enqueued in it."""

    prior: Sequence[Trial] = ()
    enqueued: Sequence[Enqueued] = ()


class PriorQueries:
    """Queries on prior trials; each method is one short transaction."""

    database: Database

    def prior(self, study_id: int) -> list[Trial]:
        """Return the trials of another study that a study's sampler starts with: parameters and values, by number."""
        query = select(prior_trials).where(prior_trials.c.study_id == study_id).order_by(prior_trials.c.number)
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return [Trial(row.number, row.params, TrialState.COMPLETE, row.metrics) for row in rows]


def add_warm_start(connection: Connection, study_id: int, start: WarmStart) -> None:
    """Store the warm start of a new study."""
    for configuration in start.enqueued:
        add_request(connection, study_id, ENQUEUE, asdict(configuration))
    rows = [
        {"study_id": study_id, "number": one.number, "params": dict(one.params), "metrics": dict(one.values)}
        for one in start.prior
    ]
    if rows:
        connection.execute(insert(prior_trials), rows)
