"""The folder of a pulled checkpoint or an ensemble: opening, checking, and its plugin files."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch.artifacts import file_digest
from fersearch.context import components
from fersearch.errors import PluginError, UsageError
from fersearch.files import atomic_folder, refuse_existing_folder
from fersearch.plugins import PluginFile, stored_name
from fersearch.registry import Registry
from fersearch.training.card import ENSEMBLE, read_card, read_card_file, read_ensemble_card

if TYPE_CHECKING:
    from fersearch.ensembles.model import RestoredEnsemble
    from fersearch.training.checkpoint import Restored


WEIGHTS, CARD = "model.safetensors", "card.json"


def load_checkpoint(path: Path, *, trust_plugin: bool = False) -> "Restored | RestoredEnsemble":
    """Return the model of a pulled checkpoint (its folder or its file) with its card, or the ensemble of a folder.

    Args:
        trust_plugin: run the plugin file next to the weights.

    Raises:
        PluginError: the architecture comes from a plugin file, and that is not trusted.
    """
    return open_checkpoint(path, trusted_registry(path, trust_plugin))


def open_checkpoint(path: Path, registry: Registry) -> "Restored | RestoredEnsemble":
    """Return the pulled checkpoint or ensemble at a path, ready to use."""
    from fersearch.ensembles.model import RestoredEnsemble
    from fersearch.training.checkpoint import Restored

    if is_ensemble(path):
        return RestoredEnsemble.open(Path(path), registry)
    return Restored.open(weights_file(path), registry)


def is_ensemble(path: Path) -> bool:
    """Return whether a path is the folder of an ensemble."""
    return (Path(path) / ENSEMBLE).is_file()


def digest_of(path: Path) -> str:
    """Return the SHA-256 that identifies a checkpoint's file or an ensemble's content in looks."""
    return str(read_ensemble_card(Path(path))["digest"]) if is_ensemble(path) else file_digest(weights_file(path))


def write_plugins(folder: Path, plugins: Sequence[PluginFile]) -> None:
    """Write plugin files next to the weights that need them."""
    for file in plugins:
        (folder / file.stored_name).write_text(file.source, encoding="utf-8")


@contextmanager
def whole_folder(folder: Path, force: bool) -> Iterator[Path]:
    """Yield a folder beside `folder` that takes its place when the block ends well: it is made whole or not at all.

    Raises:
        UsageError: it exists, and is not to be replaced or was not made by fersearch.
    """
    refuse_existing(folder, force)
    with atomic_folder(folder) as work:
        yield work


def refuse_existing(folder: Path, force: bool) -> None:
    """Raise UsageError if a folder exists, unless it may be replaced; only what fersearch wrote ever is."""
    refuse_existing_folder(folder, force, "pulled checkpoint", lambda it: (it / CARD).is_file() or is_ensemble(it))


def folder_card(folder: Path) -> dict[str, Any]:
    """Return the checked card that lies in a folder as a file; FersearchError if it cannot be read."""
    return read_ensemble_card(folder) if is_ensemble(folder) else read_card_file(folder / CARD)


def card_of(path: Path) -> dict[str, Any]:
    """Return the card of a pulled checkpoint, an exported model or an ensemble.

    Raises:
        FersearchError: there is none, or it cannot be read.
    """
    if is_ensemble(path):
        return read_ensemble_card(Path(path))
    return folder_card(Path(path)) if _has_card_alone(Path(path)) else read_card(weights_file(path))


def card_file(folder: Path) -> Path:
    """Return the path of the card file in a folder, which names its exported model."""
    return Path(folder) / (ENSEMBLE if is_ensemble(folder) else CARD)


def weights_file(path: Path) -> Path:
    """Return the weights of a pulled checkpoint, given its folder or that file; UsageError if there are none."""
    file = Path(path) / WEIGHTS if Path(path).is_dir() else Path(path)
    if not file.exists():
        raise UsageError(f"no checkpoint at {path}", "pull one: fersearch checkpoint pull STUDY")
    return file


def trusted_registry(path: Path, trust_plugin: bool) -> Registry:
    """Return the components that a checkpoint needs, with its own plugin file if that is trusted."""
    folder = Path(path) if is_ensemble(path) else weights_file(path).parent
    needed = card_of(path)["plugins"]
    if not needed:
        return components(folder=not _within_checkpoint())
    files = []
    for item in needed:
        beside = _beside(folder, item)
        file = PluginFile.read(beside)
        if file.digest != item["digest"]:
            raise PluginError(f"{beside} is not the plugin that the checkpoint was made with", "pull it again")
        files.append(file)
    if not trust_plugin:
        names = ", ".join(file.path for file in files)
        raise PluginError(
            f"the checkpoint needs the code of {names}",
            "read it, then allow it with --trust-plugin (in Python: trust_plugin=True)",
        )
    return components(files, folder=False)


def _has_card_alone(folder: Path) -> bool:
    """Return whether a folder has a card without weights, as an exported model's has."""
    return (folder / CARD).is_file() and not (folder / WEIGHTS).is_file()


def _within_checkpoint() -> bool:
    """Return whether the working directory is in the folder of a checkpoint, whose `./plugins` came with it."""
    here = Path.cwd()
    return any(_is_pulled(place) for place in (here, *here.parents))


def _is_pulled(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (WEIGHTS, CARD, ENSEMBLE))


def _beside(folder: Path, entry: Mapping[str, Any]) -> Path:
    """Return the path of a plugin file of a card, under its current or an earlier version's name."""
    path, digest = entry["path"], entry["digest"]
    names = [entry.get("file") or stored_name(path, digest), stored_name(path, digest), Path(path).name]
    return next((folder / name for name in names if (folder / name).is_file()), folder / names[0])
