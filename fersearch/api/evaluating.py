"""How good a checkpoint is on a dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch.api.checkpoints import digest_of, open_checkpoint, trusted_registry
from fersearch.api.context import notices, open_store
from fersearch.data import arrays
from fersearch.data.locate import locate
from fersearch.errors import FersearchError, UsageError, lookup
from fersearch.home import prepared_folder
from fersearch.registry import Registry
from fersearch.study import Protocol

if TYPE_CHECKING:
    from fersearch.training.ensemble import RestoredEnsemble
    from fersearch.training.use import Restored


@dataclass(frozen=True)
class EvaluationView:
    """How good a checkpoint is on one split; `looks` counts the openings of test so far, this one included."""

    dataset: str
    split: str
    n: int
    classes: tuple[str, ...]
    metrics: Mapping[str, float]
    confusion: Sequence[Sequence[int]]
    looks: int | None = None


def evaluate(
    checkpoint: Path,
    dataset: str | None = None,
    *,
    data: Path | None = None,
    split: str = "valid",
    dataset_options: Mapping[str, str] | None = None,
    trust_plugin: bool = False,
    storage: str | None = None,
) -> EvaluationView:
    """How good a checkpoint is on a split, under the options recorded in it unless overridden.

    Opening the test split is counted: each look is a row in the database.

    Raises:
        UsageError: the dataset has other classes than the checkpoint.
        DataError: the dataset is missing or broken, or has no such split.
    """
    lookup("split", split, {"train": 1, "valid": 1, "test": 1})
    registry = trusted_registry(checkpoint, trust_plugin)
    restored = open_checkpoint(checkpoint, registry)
    name = dataset or restored.card["dataset"]["name"]
    loaded = _load(restored, registry, name, data, split, dataset_options or {})
    if loaded.task.class_names != restored.task.class_names:
        raise UsageError(
            f"dataset {name} has other classes than the checkpoint",
            f"dataset: {', '.join(loaded.task.class_names)}\n  checkpoint: {', '.join(restored.task.class_names)}",
        )
    values, confusion = restored.evaluate(loaded, split, registry.metrics)
    looks = _look(checkpoint, restored, name, len(loaded.indices[split]), values, storage) if split == "test" else None
    return EvaluationView(name, split, len(loaded.indices[split]), loaded.task.class_names, values, confusion, looks)


def _load(
    restored: "Restored | RestoredEnsemble",
    registry: Registry,
    name: str,
    data: Path | None,
    split: str,
    given: Mapping[str, str],
) -> arrays.Loaded:
    from fersearch.data import options

    dataset = registry.dataset(name)
    recorded = restored.card["dataset"]
    own = name == recorded["name"]
    values = dict(recorded["options"]) if own else _shape(restored)
    values |= options.parse(dataset, given)
    values["target"] = recorded["target"] if own else dataset.targets[0]
    chosen = {**options.decoding(dataset, values), **options.loading(dataset, values)}
    source = locate(dataset, data)
    prepared = arrays.prepare(dataset, source, chosen, prepared_folder())
    if own and prepared.digest != recorded["digest"]:
        notices.append(f"{name} holds other images or labels than those the checkpoint was trained on")
    protocol = Protocol.from_json(restored.card["protocol"])
    limit = recorded["limit"] if own and split != "test" else None
    loaded = arrays.load(dataset, prepared, chosen, protocol, limit, with_test=split == "test")
    if not len(loaded.indices[split]):
        raise FersearchError(f"dataset {name} has no {split} images", "choose another --split")
    return loaded


def _shape(restored: "Restored | RestoredEnsemble") -> dict[str, Any]:
    return {"image_size": restored.task.image_size, "channels": restored.task.channels}


def _look(
    path: Path,
    restored: "Restored | RestoredEnsemble",
    dataset: str,
    n: int,
    values: Mapping[str, float],
    storage: str | None,
) -> int:
    digest, names = digest_of(path), restored.card.get("studies", [restored.card["study"]])
    with open_store(storage) as store:
        known = [name for name in names if name in store.study_names()]
        for study in known or [None]:
            store.add_look(study, digest, dataset, "test", n, values)
        return max((len(store.looks(store.study(name).id)) for name in known), default=1)
