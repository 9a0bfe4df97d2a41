"""Gathers the content of the reports of a study and of a dataset, and writes a page with plots and tables."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fersearch
from fersearch.context import components_of, open_store, require_trusted
from fersearch.data import verify
from fersearch.data.folders import PARTS
from fersearch.data.prepared import Prepared, map_array
from fersearch.data.views import view
from fersearch.data_findings import Progress
from fersearch.errors import FersearchError, UsageError
from fersearch.isolation import in_child
from fersearch.named_dataset import prepared_dataset
from fersearch.registry import Registry
from fersearch.report import derive, writer
from fersearch.report.dataset_page import Portrait, samples
from fersearch.report.folder import Written, check_folder
from fersearch.report.inputs import Absent, Data, Importance, Predictions, Record, measures_of
from fersearch.space import Value
from fersearch.store import Store, StudyRow
from fersearch.study import Protocol, StudySpec
from fersearch.study_front import front_of
from fersearch.trial import Trial, of_data

if TYPE_CHECKING:
    import numpy as np

    from fersearch.components import Dataset, Task
    from fersearch.data.arrays import Loaded, Prepared


CURVES = ("train_loss", "valid_loss", "train_accuracy", "accuracy")
BEST = 5
CHUNK = 1024
HEAD = 8
AUGMENTED = 6


def write_report(
    name: str, out: Path, *, trials: int = BEST, force: bool = False, storage: str | None = None
) -> Written:
    """Write the report of a study into a folder: `index.html`, `plots/` and `tables/`.

    The best trial's model is evaluated again on validation; test is never opened. Where data or checkpoint are
    not available, the page gives the reason instead.

    Args:
        trials: the number of best trials whose learning curves are drawn.
        force: replace an existing report.

    Raises:
        UnknownName: there is no such study.
        UsageError: the folder exists, or `trials` is below 1.
    """
    from fersearch.report import sections

    if trials < 1:
        raise UsageError(f"--trials {trials} is too small", "give 1 or more")
    with open_store(storage) as store:
        study = store.study(name)
        check_folder(out, force)
        record = gather(store, study, trials)
    return writer.write(lambda: sections.study(record), out, force)


def gather(store: Store, study: StudyRow, most: int = BEST) -> Record:
    """Return the records of a study, with its best model evaluated again on validation, and the epochs of `most`
    trials."""

    spec, every = study.spec, store.trials(study.id)
    trials = of_data(every, study.data_digest)
    front = front_of(study, trials).trials
    feasible = [trial for trial in trials if spec.keeps_bounds(trial.values)]
    chosen = derive.best_first(feasible, spec.objectives[0])[:most]
    registry = _registry(study)
    data, predictions = _evidence(registry, study, chosen[0] if chosen else None, store)
    if (others := len(every) - len(trials)) and not isinstance(data, Absent):
        subject = "1 trial saw earlier data and is" if others == 1 else f"{others} trials saw earlier data and are"
        data = replace(data, warnings=(*data.warnings, f"{subject} left out of this report"))
    return Record(
        spec=spec,
        created=study.created,
        written=datetime.now(UTC),
        version=fersearch.__version__,
        seconds=study.seconds,
        trials=trials,
        front=front,
        chosen=chosen,
        epochs=store.epoch_values(study.id, CURVES),
        histories={trial.number: store.history(study.id, trial.number) for trial in chosen},
        measures=measures_of(registry),
        baseline=study.baseline,
        importance=_importance(spec, trials),
        data=data,
        predictions=predictions,
        looks=store.looks(study.id),
        environments=store.environments(study.id),
    )


def _registry(study: StudyRow) -> Registry | Absent:
    require_trusted(study)
    try:
        return components_of(study)
    except FersearchError as error:
        return Absent(f"The plugins of the study cannot be loaded: {error.message}.")


def _importance(spec: StudySpec, trials: Sequence[Trial]) -> list[Importance] | Absent:
    weighed, fewest = in_child(lambda: _weighed(spec, trials), "sklearn")
    if weighed is None:
        return Absent(
            f"It takes {fewest} complete trials that differ in a parameter they all have; "
            "with fewer, importances reflect chance more than parameters."
        )
    method, shares = weighed
    return [Importance(o.metric, method, one) for o, one in zip(spec.objectives, shares, strict=True)]


def _weighed(spec: StudySpec, trials: Sequence[Trial]) -> tuple[tuple[str, list[dict[str, float]]] | None, int]:
    """Return the method with its importances, None with too few trials; and the number of trials it takes."""
    from fersearch.search.importance import FEWEST, importances

    return importances(spec, trials), FEWEST


def _evidence(
    registry: Registry | Absent, study: StudyRow, best: Trial | None, store: Store
) -> tuple[Data | Absent, Predictions | Absent]:
    """Return the dataset as the study saw it, and the best model's predictions on validation."""
    if isinstance(registry, Absent):
        return registry, registry
    round = _best_round(store, study, best)
    try:
        dataset, prepared, params = _prepared(registry, study, best)
        loaded = _loaded(dataset, prepared, params, study.spec, round)
        data = _data(dataset, prepared, params, study.spec, loaded)
    except FersearchError as error:
        why = Absent(f"The dataset is not available: {error.message}.")
        return why, why
    if best is None:
        return data, Absent("No trial is complete, so there is no model to evaluate.")
    return _predictions(registry, best, data, loaded)


def _best_round(store: Store, study: StudyRow, best: Trial | None) -> int:
    """Return the round whose model was kept."""
    if best is None or not study.spec.protocol.in_rounds:
        return 1
    history = store.history(study.id, best.number)
    return next((epoch.round for epoch in history if epoch.number == best.kept_epoch), 1)


def _prepared(registry: Registry, study: StudyRow, best: Trial | None) -> "tuple[Dataset, Prepared, dict[str, Any]]":
    from fersearch.study_data import prepared_data

    dataset, prepared, _ = prepared_data(registry, study)
    target = best.params.get("target") if best else None
    return dataset, prepared, {**study.spec.dataset_options, "target": target or dataset.targets[0]}


def _loaded(
    dataset: "Dataset", prepared: "Prepared", params: Mapping[str, Any], spec: StudySpec, round: int
) -> "Loaded":
    from fersearch.data import arrays

    return arrays.load(dataset, prepared, params, spec.protocol, spec.limit, round=round)


def _data(
    dataset: "Dataset", prepared: "Prepared", params: Mapping[str, Any], spec: StudySpec, loaded: "Loaded"
) -> Data:

    shown = verify.show(dataset, prepared, params, spec.protocol, spec.limit)
    task = loaded.task
    return Data(
        classes=task.class_names,
        splits=shown["splits"],
        digest=loaded.digest,
        image_size=task.image_size,
        channels=task.channels,
        licence=loaded.licence,
        rounds=loaded.rounds,
        warnings=tuple(line.rstrip(".") for line in loaded.warnings),
    )


def _predictions(registry: Registry, best: Trial, data: Data, loaded: "Loaded") -> tuple[Data, Predictions | Absent]:
    """Return the best model's predictions on validation; data that the model was not trained on is marked."""
    if best.checkpoint is None:
        return data, Absent(f"Trial {best.number} has no checkpoint.")
    rows = loaded.indices["valid"]
    try:
        digest, task, shares = in_child(lambda: _predicted(registry, best.checkpoint or "", loaded, rows), "torch")
    except FersearchError as error:
        return data, Absent(f"The checkpoint of trial {best.number} is not available: {error.message}.")
    data = replace(data, changed=digest != data.digest)
    if task != loaded.task:
        return data, Absent(
            "The classes or images of the current dataset differ from those that the best trial was trained on."
        )
    return data, Predictions(shares, loaded.hard[rows], loaded.images, rows)


def _predicted(
    registry: Registry, checkpoint: str, loaded: "Loaded", rows: "np.ndarray[Any, Any]"
) -> "tuple[str, Task, np.ndarray[Any, Any]]":
    """Return the digest of a checkpoint's training data, its task, and its class shares if the task matches the
    data."""
    import numpy as np

    from fersearch.artifacts import Artifacts
    from fersearch.home import artifacts_folder
    from fersearch.training.checkpoint import Restored

    restored = Restored.open(Artifacts(artifacts_folder()).open(checkpoint), registry)
    fits = restored.task == loaded.task
    shares = _shares(restored, loaded.images, rows) if fits else np.empty(0)
    return restored.card["dataset"]["digest"], restored.task, shares


def _shares(restored: Any, images: "np.ndarray[Any, Any]", rows: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Return class shares of some images, a chunk at a time: large images would not fit in memory at once."""
    import numpy as np

    chunks = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
    return np.concatenate([restored.probabilities(np.asarray(images[chunk])) for chunk in chunks])


def report_dataset(
    name: str,
    out: Path,
    *,
    data: Path | None = None,
    options: Mapping[str, str] | None = None,
    target: str | None = None,
    force: bool = False,
    progress: Progress | None = None,
    plugins: tuple[Path, ...] = (),
) -> Written:
    """Write the report of a dataset into a folder: distributions, samples, intensities, augmentation, findings.

    Images of people are written into that folder, and nowhere else.

    Raises:
        DataError: the files are missing or broken.
        UsageError: the folder exists.
    """
    from fersearch.report import dataset_page

    check_folder(out, force)
    dataset, source, values, prepared = prepared_dataset(name, data, options or {}, progress, plugins)
    chosen = target or dataset.targets[0]
    portrait = _portrait(dataset, source, {**values, "target": chosen}, prepared)
    return writer.write(lambda: dataset_page.dataset(portrait), out, force)


def _portrait(dataset: "Dataset", source: Path | None, params: dict[str, Value], prepared: Prepared) -> Portrait:
    import numpy as np

    from fersearch.training.augment import previews

    verified = verify.verify(dataset, prepared, params)
    facts = verify.show(dataset, prepared, params)
    hard, part = _labels(dataset, params, prepared)
    each = samples(hard, part, len(verified.classes), 1)
    shown = [rows[0] for rows in each if rows][:AUGMENTED]
    columns, head = _head(prepared, verified.classes, hard, part)
    return Portrait(
        name=dataset.name,
        summary=dataset.summary,
        licence=dataset.licence,
        files=str(source) if source else "none needed",
        options={name: value for name, value in params.items() if name != "target"},
        target=str(params["target"]),
        classes=verified.classes,
        splits=verified.splits,
        checks=verified.rows,
        findings=verified.findings,
        images=prepared.images,
        hard=hard,
        part=part,
        written=datetime.now(UTC),
        version=fersearch.__version__,
        columns=columns,
        head=head,
        sources=facts.get("sources", {}),
        shown=shown,
        names=prepared.columns.get("name"),
        augmented=previews(np.stack([prepared.images[row] for row in shown])),
    )


def _labels(
    dataset: "Dataset", params: Mapping[str, Value], prepared: Prepared
) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]":
    """Return the class of every prepared image, and the index of its split; -1 where it is left out."""
    import numpy as np

    folder = view(dataset, prepared, params, Protocol(), None)
    part = np.full(prepared.count, -1, np.int64)
    for place, name in enumerate(PARTS):
        part[map_array(folder / f"{name}.npy")] = place
    return map_array(folder / "hard.npy"), part


def _head(
    prepared: Prepared, classes: tuple[str, ...], hard: "np.ndarray[Any, Any]", part: "np.ndarray[Any, Any]"
) -> tuple[list[str], list[list[str]]]:
    """Return the first prepared images: name, label, split, subject, votes, where known."""
    extra = [name for name in ("name", "subject", "votes") if name in prepared.columns]
    rows = []
    for row in range(min(HEAD, prepared.count)):
        label = classes[int(hard[row])] if part[row] >= 0 else "-"
        split = PARTS[int(part[row])] if part[row] >= 0 else "left out"
        rows.append([str(row), *(_text(prepared.columns[name][row]) for name in extra), label, split])
    return ["Image", *(name.capitalize() for name in extra), "Label", "Split"], rows


def _text(value: Any) -> str:
    return " ".join(map(str, value.tolist())) if getattr(value, "ndim", 0) else str(value)
