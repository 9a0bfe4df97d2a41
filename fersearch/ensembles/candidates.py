"""The trained models from which an ensemble may be chosen, and their predictions on validation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fersearch.artifacts import Artifacts
from fersearch.checkpoint_data import check_training_data
from fersearch.components import Metric
from fersearch.context import components_of
from fersearch.data import arrays, options
from fersearch.errors import UsageError
from fersearch.home import artifacts_folder
from fersearch.plugins import PluginFile
from fersearch.registry import Registry
from fersearch.store import Store, StudyRow
from fersearch.study_data import prepared_data
from fersearch.training.card import read_card
from fersearch.trial import Trial, TrialState, of_data

MB = 2**20


@dataclass(frozen=True)
class Candidate:
    """A complete trial with its checkpoint's file."""

    study: StudyRow
    trial: Trial
    file: Path

    @property
    def digest(self) -> str:
        """The SHA-256 of its file."""
        return self.trial.checkpoint or ""

    @property
    def megabytes(self) -> float:
        """The size of its file."""
        return self.file.stat().st_size / MB


def gather(store: Store, studies: Sequence[StudyRow]) -> list[Candidate]:
    """Return the complete trials of some studies whose checkpoints were kept, each different checkpoint once.

    Raises:
        UsageError: there are none.
        FersearchError: a stored file is missing or broken.
    """
    artifacts = Artifacts(artifacts_folder())
    candidates: dict[str, Candidate] = {}
    for study in studies:
        for trial in of_data(store.trials(study.id), study.data_digest):
            if trial.state is TrialState.COMPLETE and trial.checkpoint and trial.checkpoint not in candidates:
                candidates[trial.checkpoint] = Candidate(study, trial, artifacts.open(trial.checkpoint))
    if not candidates:
        names = ", ".join(f"'{study.name}'" for study in studies)
        raise UsageError(f"no trial of {names} is complete and has a checkpoint", "run the study first: study run")
    return list(candidates.values())


def registry_of(studies: Sequence[StudyRow]) -> Registry:
    """Return the components of all studies, with their plugin files.

    Raises:
        PluginError: two files register the same component, or one is not trusted here.
    """
    return components_of(*studies)


def plugins_of(studies: Sequence[StudyRow]) -> list[PluginFile]:
    """Return the plugin files of some studies, each once."""
    return list({file.digest: file for study in studies for file in study.plugins}.values())


def check_alike(candidates: Sequence[Candidate], registry: Registry) -> None:
    """Refuse studies whose models solve different tasks, or were trained on one another's validation images.

    Raises:
        UsageError: the class lists differ, or the datasets, their options or how they are split; or a study
            has no split that all its models share.
    """
    one_each = {each.study.name: each for each in reversed(candidates)}
    cards = {name: read_card(each.file) for name, each in one_each.items()}
    first, *others = (one_each[name].study for name in dict.fromkeys(each.study.name for each in candidates))
    for study in (first, *others):
        if study.spec.protocol.folded:
            raise UsageError(
                f"study '{study.name}' trains on folds: no image is unseen by all of its models",
                "train its best configurations again on one split, and make the ensemble of that study",
            )
    for study in others:
        both = (first, study)
        _alike("classes", *both, *(", ".join(cards[each.name]["class_names"]) for each in both))
        for what in ("dataset", "dataset options", "protocol", "limit"):
            _alike(what, *both, *(_setting_text(what, each, registry) for each in both))
        _alike("images or labels", *both, *(cards[each.name]["dataset"]["digest"] for each in both))


def load_valid(candidates: Sequence[Candidate], registry: Registry) -> arrays.Loaded:
    """Return the data of the candidates' studies, with the validation images that all of them share.

    Raises:
        UsageError: their targets leave different images or labels for validation.
        DataError: the dataset is missing or broken, or not the data that the candidates were trained on.
    """
    import numpy as np

    from fersearch.training.checkpoint import read_checkpoint

    spec = candidates[0].study.spec
    dataset, prepared, _ = prepared_data(registry, candidates[0].study)
    loaded_by_target: dict[str, arrays.Loaded] = {}
    for target in dict.fromkeys(str(each.trial.params.get("target", dataset.targets[0])) for each in candidates):
        params = {**spec.dataset_options, "target": target}
        loaded_by_target[target] = arrays.load(dataset, prepared, params, spec.protocol, spec.limit)
    cards = {str(each.trial.params.get("target", dataset.targets[0])): each for each in reversed(candidates)}
    for target, each in cards.items():
        check_training_data(read_checkpoint(each.file)[0], loaded_by_target[target].identity, "valid", None, False)
    first, *others = loaded_by_target.values()
    valid = first.indices["valid"]
    for target, other in zip(list(loaded_by_target)[1:], others, strict=True):
        rows = other.indices["valid"]
        if not np.array_equal(rows, valid) or not np.array_equal(other.hard[rows], first.hard[valid]):
            raise UsageError(
                f"target {target} has other validation images than target {first.target}",
                "make an ensemble of studies with one target",
            )
    return first


def answers_of(
    candidates: Sequence[Candidate], registry: Registry, loaded: arrays.Loaded, note: Callable[[str], None]
) -> Any:
    """Return each candidate's predictions on the validation images: class shares (float32, candidates x n x
    classes)."""
    import numpy as np

    from fersearch.ensembles.model import answers
    from fersearch.training.checkpoint import Restored

    rows = np.asarray(loaded.indices["valid"])
    shares = []
    for number, each in enumerate(candidates, 1):
        note(f"predicting with trial {each.trial.number} of {each.study.name} ({number}/{len(candidates)})")
        shares.append(answers(Restored.open(each.file, registry), loaded.images, rows))
    return np.stack(shares)


def costs(members: Sequence[Candidate], metrics: Mapping[str, Metric]) -> dict[str, float]:
    """Return the costs of an ensemble of different members, by measured metric.

    Seconds, milliseconds, parameters and sizes add up: each member is trained, stored and run. Memory
    during training is counted as if all other members were loaded while the largest one is trained: its own
    memory, and the size of their files.
    """
    totals = {}
    for name, metric in metrics.items():
        if metric.measured and all(name in member.trial.values for member in members):
            values = [member.trial.values[name] for member in members]
            memory = metric.unit == "MB" and metric.whole_trial
            totals[name] = _memory(values, [member.megabytes for member in members]) if memory else sum(values)
    return totals


def _memory(values: Sequence[float], sizes: Sequence[float]) -> float:
    return max(value + sum(sizes) - own for value, own in zip(values, sizes, strict=True))


def _alike(what: str, first: StudyRow, other: StudyRow, ours: str, theirs: str) -> None:
    if ours != theirs:
        raise UsageError(
            f"{what}: study '{other.name}' and study '{first.name}' differ, and cannot be one ensemble",
            f"{first.name}: {ours}\n  {other.name}: {theirs}",
        )


def _setting_text(what: str, study: StudyRow, registry: Registry) -> str:
    spec = study.spec
    if what == "dataset options":
        dataset = registry.dataset(spec.dataset)
        settings = {**options.decoding(dataset, spec.dataset_options), **options.loading(dataset, spec.dataset_options)}
        return " ".join(f"{name}={value}" for name, value in sorted(settings.items()) if name != "target")
    if what == "protocol":
        settings = {name: value for name, value in spec.protocol.to_json().items() if name != "repeats"}
        return " ".join(f"{name}={value}" for name, value in settings.items())
    return str(getattr(spec, what))
