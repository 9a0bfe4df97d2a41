"""Requests to trial processes, and removal of files that trials no longer need."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from fersearch.artifacts import Artifacts
from fersearch.data.prepared import Prepared
from fersearch.engines.devices import Slot
from fersearch.engines.formats import memory_format
from fersearch.errors import FersearchError
from fersearch.exported_models import ExportedModels
from fersearch.home import run_folder, states_url
from fersearch.locks import remove_unlocked
from fersearch.search.retries import micro_batches
from fersearch.store import Store, StudyRow
from fersearch.store.neighbours import Neighbours
from fersearch.study import is_finish
from fersearch.training.request import TrialRequest
from fersearch.trial import LATENCY, Trial

SEED = "seed"
"""The name of the parameter with a trial's seed in a study that finishes another one."""


def trains_finalists(study: StudyRow) -> bool:
    """Return whether a study trains the finalists of another, each trial with its own seed."""
    return is_finish(study.name) and SEED in study.spec.space  # other studies may have such a name too


def trial_seed(study: StudyRow, trial: Trial) -> int:
    """Return the seed of a trial: its own where its study gives each one, else the study's."""
    return int(trial.params[SEED]) if trains_finalists(study) else study.spec.seed


def request_for(
    study: StudyRow,
    trial: Trial,
    prepared: Prepared,
    slot: Slot,
    artifacts: Path | str,
    formats: Mapping[str, str] | None = None,
    figures: Mapping[str, int] | None = None,
) -> TrialRequest:
    """Return the request for a trial's next attempt in a slot; its checkpoint goes to `artifacts`.

    `formats` are the memory formats that the study has decided on so far, `figures` those known of its network.
    """
    spec = study.spec
    architecture, params = spec.chosen(trial.params)
    return TrialRequest(
        study_uid=study.uid,
        study=study.name,
        number=trial.number,
        attempt=len(trial.attempts),
        params=params,
        architecture=architecture,
        dataset=spec.dataset,
        prepared=str(prepared.folder),
        dataset_options=dict(spec.dataset_options),
        protocol=spec.protocol,
        limit=spec.limit,
        seed=trial_seed(study, trial),
        objective=spec.objectives[0],
        plugins=study.plugins,
        weights=spec.weights,
        precision=spec.precision,
        memory_format=memory_format(trial) or spec.memory_format,
        formats=dict(formats or {}) if spec.memory_format == "auto" else {},
        latency_on=spec.latency_on,
        figures=dict(figures or {}),
        latency_counts=LATENCY in spec.compared,
        where=spec.where,
        device=slot.device,
        threads=slot.threads,
        scratch=str(run_folder(study.uid, trial.number)),
        artifacts=str(artifacts),
        states=states_url(study.uid, trial.number, artifacts),
        recorded=trial.epochs,
        recorded_by_attempt=tuple(attempt.last_epoch or 0 for attempt in trial.attempts[:-1]),
        database=study.database,
        micro_batches=micro_batches(trial),
        keep_pruned=spec.keep.which == "all",
        data_digest=trial.data_digest,
        prepared_digest=prepared.digest,
    )


def forget(folder: Path, url: str) -> None:
    """Remove a trial's states: those in a local folder, unless a process uses it, and at a URL if one is given."""
    with suppress(OSError):
        remove_unlocked(folder)
    if url:
        from fersearch.remote import Remote

        with suppress(FersearchError):  # `study delete` tries again
            Remote(url).remove_all()


def discard(store: Store, artifacts: Artifacts, digest: str) -> None:
    """Remove a checkpoint's file unless a trial may refer to it; after a failure `collect_garbage` removes it.

    The model that a service exported of it is removed if no trial of this database refers to it; it can be made again.
    """
    with suppress(FersearchError, OSError):
        if not store.refers_to(digest):
            ExportedModels().remove(digest)
        if not Neighbours(store).may_keep(digest, artifacts.owners_of(digest)):
            remove_artifact(store, artifacts, digest)


def remove_artifact(store: Store, artifacts: Artifacts, digest: str) -> None:
    """Remove the file of a checkpoint, and the model that a service exported of it, unless a trial refers to it."""
    if not store.refers_to(digest):
        artifacts.remove(digest)
        ExportedModels().remove(digest)
