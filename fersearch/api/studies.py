"""Studies and their trials: create, list, show, front, delete, export."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fersearch import formatting, notebook
from fersearch.context import all_studies, notices, open_store
from fersearch.evaluation.finished import Finish, finish_of
from fersearch.home import artifacts_folder, log_folder, run_folder, states_url
from fersearch.notebook import Trials
from fersearch.report import sharing
from fersearch.space import describe
from fersearch.store import Look, Store, StudyRow, StudySummary
from fersearch.study import StudySpec, StudyState, is_finish
from fersearch.study_front import Front, cost_tolerances, front_of
from fersearch.trial import EXCLUSIVE, HIGH, LOW, Enqueued, Epoch, Trial, TrialState, is_spread, of_data

if TYPE_CHECKING:
    import optuna
    import pandas as pd


@dataclass(frozen=True)
class Best:
    """The best trial of a study's front by the first objective: its number, and its value with the 95 % interval."""

    trial: int
    metric: str
    value: float
    interval: tuple[float, float] | None = None

    def __str__(self) -> str:
        sure = f" (95 % interval {formatting.interval(self.interval)})" if self.interval else ""
        return f"trial {self.trial}: {self.metric} {formatting.number(self.value)}{sure}"


@dataclass(frozen=True)
class StudyView:
    """A study as `study show` prints it: its spec, its counts by state, and the looks at its test split.

    `timing` says whether training times were measured by trials that shared a device; empty if unknown.
    `data` identifies the study's data, empty before its first run. `plugins` are the plugin files that it stores.
    `warnings` say what makes its results doubtful, `finish` how it was finished.
    `ending` says when and why it ended before its budget was used.
    `best` is the first of its front, None while that is empty.
    `enqueued` are the enqueued configurations that are no trials yet. Costs that differ by no more than the shares in
    `cost_tolerances` count as equal.
    """

    name: str
    spec: StudySpec
    created: datetime
    counts: Mapping[str, int]
    storage: str
    looks: Sequence[Any]
    baseline: Mapping[str, float]
    seconds: float
    environments: Sequence[Mapping[str, Any]]
    timing: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    plugins: Sequence[str] = ()
    state: StudyState = StudyState.IDLE
    owner: str = ""
    warnings: Sequence[str] = ()
    finish: Finish | None = None
    enqueued: Sequence[Enqueued] = ()
    ending: str = ""
    cost_tolerances: Mapping[str, float] = field(default_factory=dict)
    best: Best | None = None

    @property
    def about_data(self) -> list[str]:
        """Lines that identify the data: path, images and classes, digests; none before the first run."""
        from fersearch.data.identity import described

        return described(self.data)

    @property
    def data_digest(self) -> str:
        """The digest of the data as trials see it; empty before the first run."""
        return str(self.data.get("seen", {}).get("digest", ""))

    @property
    def has_data_of_origin(self) -> bool | None:
        """Whether its data is that of the study that it was started from; None if unknown."""
        seen, origin = self.data_digest, self.spec.origin
        return seen == origin.data_digest if seen and origin and origin.data_digest else None

    @property
    def started_from(self) -> str:
        """The study it was started from, the trials taken over, whether the data is the same; empty for none."""
        origin = self.spec.origin
        if origin is None:
            return ""
        which = {True: ", the same as this study's", False: "; this study's data is other", None: ""}
        data = f"data {formatting.short(origin.data_digest)}{which[self.has_data_of_origin]}"
        known = f"{formatting.plural(origin.trials, 'trial')} known to the sampler, {origin.enqueued} enqueued"
        return f"study {origin.study}: {known}; {data if origin.data_digest else 'data not known'}"

    @property
    def space(self) -> dict[str, str]:
        """The domain of each parameter, as text."""
        return {name: describe(dimension) for name, dimension in self.spec.space.dimensions.items()}

    def to_frame(self) -> "pd.DataFrame":
        """Return a pandas data frame of one row, so that studies can be concatenated."""
        row = {
            "study": self.name,
            "model": self.spec.architecture,
            "dataset": self.spec.dataset,
            "state": self.state.value,
            "created": self.created,
            "objectives": " ".join(map(str, self.spec.objectives)),
            "trials": self.spec.budget.trials,
            **{state.value: self.counts.get(state.value, 0) for state in TrialState},
            "seconds": self.seconds,
        }
        return notebook.frame([row], "study")

    def _repr_html_(self) -> str:
        facts = {
            "model": ", ".join(self.spec.architectures),
            "dataset": self.spec.dataset,
            "objectives": ", ".join(map(formatting.heading, self.spec.objectives)),
            "state": self.state.value,
            "trials": f"{formatting.counts(self.counts)} of {self.spec.budget.trials}",
            "time used": formatting.brief(self.seconds),
            "data": "\n".join(self.about_data),
            "storage": self.storage,
        }
        named = notebook.facts({name: text for name, text in facts.items() if text}, f"study {self.name}")
        return named + notebook.table(("parameter", "searched"), self.space.items())


@dataclass(frozen=True)
class TrialView:
    """A trial, its epochs, and the log of its last attempt."""

    trial: Trial
    history: Sequence[Epoch]

    @property
    def log(self) -> str | None:
        """The log file of the last attempt; None without one."""
        return self.trial.attempts[-1].log if self.trial.attempts else None

    @property
    def pid(self) -> int | None:
        """The id of the process that runs it; None while it does not run."""
        last = self.trial.attempts[-1] if self.trial.attempts else None
        return last.pid if last is not None and last.reason is None else None

    def to_frame(self) -> "pd.DataFrame":
        """Return a pandas data frame with a row for each epoch: `seconds`, `values_NAME` and others."""
        return notebook.epoch_frame(self.history)

    def _repr_html_(self) -> str:
        one = self.trial
        values = {name: formatting.measured(one.values, name) for name in one.values if not is_spread(name)}
        facts = {
            "state": " ".join(filter(None, (one.state.value, one.reason))),
            "epochs": str(one.epochs),
            "parameters": formatting.settings(one.params),
            "values": " ".join(f"{name}={value}" for name, value in values.items()),
        }
        named = notebook.facts({name: text for name, text in facts.items() if text}, f"trial {one.number}")
        return named + notebook.epoch_table(self.history)


def list_studies(storage: str | None = None, *, all: bool = False) -> list[StudySummary]:
    """Return the studies with their counts by state, oldest first; without a database none, and a note.

    Args:
        all: also the studies `finish/NAME` that trained the finalists of others.
    """
    return [summary for summary in all_studies(storage) if all or not is_finish(summary.name)]


def show_study(name: str, storage: str | None = None) -> StudyView:
    """Return one study. Raise UnknownName if there is no such study."""
    with open_store(storage) as store:
        return view(store, store.study(name))


def study_spec(name: str, storage: str | None = None) -> StudySpec:
    """Return a study's specification without reading its trials. Raise UnknownName if there is no such study."""
    with open_store(storage) as store:
        return store.study(name).spec


def list_trials(name: str, storage: str | None = None) -> Trials:
    """Return the trials of a study by number, without their epochs."""
    with open_store(storage) as store:
        study = store.study(name)
        return Trials(store.trials(study.id), study.spec.objectives)


def show_trial(name: str, number: int, storage: str | None = None) -> TrialView:
    """Return one trial with its epochs. Raise UnknownName if there is no such trial."""
    with open_store(storage) as store:
        study = store.study(name)
        return TrialView(store.trial(study.id, number), store.history(study.id, number))


def front(name: str, *, where: Sequence[str] = (), storage: str | None = None) -> Front:
    """Return the Pareto front of a study, sorted by the first objective, best first.

    Args:
        where: constraints such as `peak_memory_mb<=500` or `f1_macro>=0.9*best` that every member must meet.
    """
    with open_store(storage) as store:
        study = store.study(name)
        if where:
            return front_of(study, store.trials(study.id), where)
        result = front_of(study, store.trials(study.id, study.spec.compared))
        whole = {trial.number: trial for trial in store.trials(study.id, of={trial.number for trial in result.trials})}
        return replace(result, trials=[whole[trial.number] for trial in result.trials if trial.number in whole])


def stop_study(name: str, storage: str | None = None) -> bool:
    """Ask a study's driver, on any machine, to finish the current epochs, save and exit.

    Returns:
        Whether a live driver was asked, or the study removed from a service's queue; if not, nothing changes.

    Raises:
        UnknownName: there is no such study.
    """
    with open_store(storage) as store:
        requested = store.request_stop(name)
        return store.dequeue(store.study(name).id) or requested


def delete_study(name: str, storage: str | None = None) -> None:
    """Delete a study, its trials, its logs and the checkpoints that no other study references.

    Files that another database may need, such as a copy of this one, stay; a notice says so.

    Raises:
        StudyBusy: a live driver runs it.
    """
    from fersearch.artifacts import Artifacts
    from fersearch.engines.requests import discard, forget
    from fersearch.owners import Owner
    from fersearch.store.neighbours import Neighbours

    with open_store(storage) as store:
        study = store.study(name)
        neighbours, artifacts = Neighbours(store), Artifacts(artifacts_folder())
        for digest in store.delete_study(name):
            discard(store, artifacts, digest)
        shared = neighbours.may_run(study.uid, None, Owner(store.identity, study.uid))
    if shared:
        notices.append(f"the logs and states of {name} stay, for a copy of this database may have the study too")
        return
    folder = run_folder(study.uid, 0).parent
    forget(folder, states_url(study.uid, 0, artifacts_folder()).rpartition("/")[0])
    shutil.rmtree(log_folder(study.uid), ignore_errors=True)


def to_optuna(name: str, storage: str | None = None) -> "optuna.Study":
    """Return the study as an in-memory `optuna.Study`, for Optuna's plots and its dashboard."""
    from fersearch.search.optuna_sampler import to_optuna as convert

    with open_store(storage) as store:
        study = store.study(name)
        return convert(study.spec, store.trials(study.id), study.data_digest)


def export_to_optuna(name: str, url: str, *, force: bool = False, storage: str | None = None) -> int:
    """Write a study into an Optuna storage, for `optuna-dashboard`; return the number of its trials there.

    Args:
        url: an SQLAlchemy URL such as `sqlite:///optuna.db`; the storage is created if missing.
        force: replace a study of that name.

    Raises:
        NameTaken: the storage has a study of that name.
        StorageURLError: the storage cannot be opened.
    """
    from fersearch.search.optuna_export import write_to_storage

    with open_store(storage) as store:
        study = store.study(name)
        return write_to_storage(study.spec, store.trials(study.id), url, study.data_digest, force=force)


def importance(name: str, storage: str | None = None) -> dict[str, Any]:
    """Return how much each parameter decides about each objective.

    Returns:
        `method`, `objectives` (each metric's share by parameter, the largest first) and `needed`, the number of
        complete trials below which there are no shares.
    """
    from fersearch.search.importance import FEWEST, importances

    with open_store(storage) as store:
        study = store.study(name)
        weighed = importances(study.spec, of_data(store.trials(study.id), study.data_digest))
    method, shares = weighed or ("", [])
    metrics = [objective.metric for objective in study.spec.objectives]
    return {"method": method, "objectives": dict(zip(metrics, shares, strict=False)), "needed": FEWEST}


def view(store: Store, study: StudyRow) -> StudyView:
    """Return a study's row as a view."""
    summary = store.summary(study.id)
    looks = store.looks(study.id)
    first = study.spec.objectives[0].metric
    ends = (f"{first}{LOW}", f"{first}{HIGH}")
    timed = store.trials(study.id, [EXCLUSIVE, "train_seconds", "cpu_seconds", *ends, *study.spec.compared])
    return StudyView(
        name=study.name,
        spec=study.spec,
        created=study.created,
        counts=summary.counts,
        storage=store.url,
        looks=looks,
        baseline=study.baseline,
        seconds=study.seconds,
        environments=store.environments(study.id),
        timing=sharing.describe(timed),
        cost_tolerances=cost_tolerances(study.spec.objectives, timed, study.cost_spreads),
        data=study.data,
        plugins=[file.path for file in study.plugins],
        state=summary.state,
        owner=summary.owner,
        warnings=_warnings(store, study, looks),
        finish=finish_of(study.name, looks),
        enqueued=store.enqueued(study.id),
        ending=study.ending,
        best=_best(study, timed),
    )


def _best(study: StudyRow, trials: Sequence[Trial]) -> Best | None:
    first = study.spec.objectives[0].metric
    members = front_of(study, trials).trials[:1]
    return next((Best(one.number, first, one.values[first], one.intervals.get(first)) for one in members), None)


def _warnings(store: Store, study: StudyRow, looks: Sequence[Look]) -> list[str]:
    """Return warnings about a test split that was opened before the study's last trials began."""
    opened = [look.looked for look in looks if look.dataset == study.spec.dataset and look.split in ("test", "all")]
    later = store.trials_since(study.id, min(opened)) if opened else 0
    if not later:
        return []
    trials = formatting.plural(later, "trial")
    return [f"test was opened on {min(opened):%Y-%m-%d}, before the last {trials}: what is chosen now has seen it"]
