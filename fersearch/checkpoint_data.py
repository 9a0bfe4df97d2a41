"""The data that a checkpoint was trained on: where it may be, and whether what is found there is that."""

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
    """Where to look for the training data of a checkpoint: where its study found it, or else by the dataset's name.

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
    found: Identity,
    split: str,
    given: Path | None,
    is_read_otherwise: bool,
    is_unseen: bool = False,
) -> bool | None:
    """Whether what was found is what a checkpoint was trained on; None where its card does not say.

    Data that was `given` may be other, which is noted unless it `is_unseen` on purpose; what was looked for may not.
    Where it `is_read_otherwise`, by options of the dataset, the files alone can tell.

    Raises:
        DataError: it is other data, and nobody asked for that.
    """
    if not card.get("data"):
        return _by_arrays(card, found, is_read_otherwise)
    then = Identity.from_json(card["data"])
    if _is_same(then, found, split, is_read_otherwise):
        return True
    name = card["dataset"]["name"]
    if given is None:
        raise difference(
            f"{name} as it is found now is not the data that the checkpoint was trained on",
            then,
            found,
            ("to judge it as other data, or where the training data is now, give its folder: --data PATH",),
        )
    if not is_unseen:
        notices.append(
            f"{given} is not the data that the checkpoint was trained on: then {then.told()}; now {found.told()}"
        )
    return False


def _is_same(then: Identity, found: Identity, split: str, is_read_otherwise: bool) -> bool:
    if is_read_otherwise:
        return then.files == found.files or not (then.files and found.files)
    if split == "test" and then.test and found.test:
        return then.test == found.test
    return then.seen == found.seen if then.seen and found.seen else then.agrees(found)


def _by_arrays(card: Mapping[str, Any], found: Identity, is_read_otherwise: bool) -> bool | None:
    """What a card without digests of its data can tell: whether every pixel and column is what it was."""
    then = str(card["dataset"]["digest"])
    if is_read_otherwise or then == found.arrays:
        return None if is_read_otherwise else True
    notices.append(
        f"the checkpoint was made before its data was recorded; {card['dataset']['name']} found now is taken for it, "
        f"though its images or labels are read otherwise than then (arrays {short(then)}, now {short(found.arrays)})"
    )
    return None


def _recorded_path(card: Mapping[str, Any], storage: str | None) -> Path | None:
    """Where the study of a checkpoint found its data, if the study is in the database."""
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
    """The study that made a checkpoint; where its card does not say the id, the study of that name."""
    names = [name for name in card.get("studies") or [card["study"]] if name in store.study_names()]
    found = [store.study(name) for name in names]
    known = [study for study in found if study.uid in ("", card.get("study_id") or study.uid)]
    return known[0] if known else None
