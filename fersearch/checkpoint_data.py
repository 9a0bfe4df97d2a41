"""Locate the data that a checkpoint was trained on, and check whether given data is the same."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from fersearch.components import Dataset
from fersearch.context import notices, open_store
from fersearch.data.identity import Identity, difference
from fersearch.data.locate import locate, look_for
from fersearch.data.prepared import has_copy
from fersearch.errors import StoreError
from fersearch.formatting import short
from fersearch.home import database_url, prepared_folder
from fersearch.space import Value
from fersearch.store import Store, StudyRow
from fersearch.store.database import sqlite_path


def training_source(
    card: Mapping[str, Any], dataset: Dataset, options: Mapping[str, Value], storage: str | None
) -> Path | None:
    """Return the likely path of a checkpoint's training data: its study's, or the dataset's by name.

    Raises:
        DataError: neither is known.
    """
    if not dataset.needs_data:
        return None
    recorded = _recorded_path(card, storage)
    if recorded is None:
        return locate(dataset)
    return look_for(dataset, recorded, partial(has_copy, dataset, options=options, root=prepared_folder()))


def check_training_data(
    card: Mapping[str, Any],
    identity: Identity,
    split: str,
    path: Path | None,
    is_read_otherwise: bool,
    is_unseen: bool = False,
) -> bool | None:
    """Return whether data is what a checkpoint was trained on; None if its card does not say.

    Data at a `path` that the user named may differ, which is noted unless it `is_unseen` on purpose; data found
    by its name may not.
    Where it `is_read_otherwise`, by options of the dataset, the files alone can tell.

    Raises:
        DataError: the data differs, and was neither named by path nor unseen on purpose.
    """
    if not card.get("data"):
        return _by_arrays(card, identity, is_read_otherwise)
    then = Identity.from_json(card["data"])
    if _is_same(then, identity, split, is_read_otherwise):
        return True
    name = card["dataset"]["name"]
    if path is None:
        raise difference(
            f"{name} as found now is not the data that the checkpoint was trained on",
            then,
            identity,
            ("to judge it as other data, or where the training data is now, give its folder: --data PATH",),
        )
    if not is_unseen:
        notices.append(
            f"{path} is not the data that the checkpoint was trained on: "
            f"then {then.describe()}; now {identity.describe()}"
        )
    return False


def _is_same(then: Identity, identity: Identity, split: str, is_read_otherwise: bool) -> bool:
    if is_read_otherwise:
        return then.files == identity.files or not (then.files and identity.files)
    if split == "test" and then.test and identity.test:
        return then.test == identity.test
    return then.seen == identity.seen if then.seen and identity.seen else then.agrees(identity)


def _by_arrays(card: Mapping[str, Any], identity: Identity, is_read_otherwise: bool) -> bool | None:
    """Return whether every pixel and column is unchanged, as a card without digests of its data allows."""
    then = str(card["dataset"]["digest"])
    if is_read_otherwise or then == identity.arrays:
        return None if is_read_otherwise else True
    notices.append(
        f"the checkpoint was made before its data was recorded; the {card['dataset']['name']} found now is "
        f"used, although its images or labels are read differently (arrays {short(then)}, now {short(identity.arrays)})"
    )
    return None


def _recorded_path(card: Mapping[str, Any], storage: str | None) -> Path | None:
    """Return the path of the data of a checkpoint's study, if the study is in the database."""
    url = database_url(storage)
    file = sqlite_path(url)
    if file is not None and not file.exists():
        return None
    try:
        with open_store(storage) as store:
            study = _study_of(card, store)
    except StoreError:
        return None
    path = study and (study.data.get("path") or study.spec.data)
    return Path(path) if path else None


def _study_of(card: Mapping[str, Any], store: Store) -> StudyRow | None:
    """Return the study that made a checkpoint, by the id in its card or else by name."""
    names = [name for name in card.get("studies") or [card["study"]] if name in store.study_names()]
    studies = [store.study(name) for name in names]
    matching = [study for study in studies if study.uid in ("", card.get("study_id") or study.uid)]
    return matching[0] if matching else None
