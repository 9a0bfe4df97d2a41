"""List checkpoints, and pull one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fersearch.context import open_store
from fersearch.errors import lookup
from fersearch.evaluation.pulling import Pulled, choose, pull
from fersearch.home import pulled_folder

FORMATS = {"safetensors": "the weights", "onnx": "also one file for onnxruntime"}


@dataclass(frozen=True)
class CheckpointRow:
    """A kept checkpoint: its trial, the SHA-256 of its file, its epoch and its size."""

    trial: int
    digest: str
    epoch: int | None
    megabytes: float
    values: Mapping[str, float]


def list_checkpoints(name: str, storage: str | None = None) -> list[CheckpointRow]:
    """Return the checkpoints of a study by trial."""
    with open_store(storage) as store:
        study = store.study(name)
        trials = {trial.number: trial for trial in store.trials(study.id)}
        return [
            CheckpointRow(row.trial, row.digest, row.epoch, (row.bytes or 0) / 2**20, trials[row.trial].values)
            for row in store.checkpoints(study.id)
        ]


def pull_checkpoint(
    name: str,
    *,
    trial: int | None = None,
    prefer: str | None = None,
    where: Sequence[str] = (),
    out: Path | None = None,
    force: bool = False,
    format: str = "safetensors",
    trust_plugin: bool = False,
    storage: str | None = None,
) -> Pulled:
    """Copy a trial's verified checkpoint, with its card and the plugin file that it needs, into a folder.

    Args:
        trial: its number; default the front's trial by `prefer`.
        prefer: a metric of the trials, whose best is taken, or `best` (by the first objective), `knee`, or by default
            `cheapest`: the best by the second objective within one standard error of the best by the first.
        where: constraints that the trial must keep, as `peak_memory_mb<=500` or `f1_macro>=0.9*best`. The knee keeps
            0.9 of the best first objective unless one of them bounds that.
        out: the folder to create; default `./STUDY-trial-N`.
        force: replace what is there.
        format: `onnx` also exports it there, as `export_checkpoint` does.
        trust_plugin: run the plugin file that the model needs, to export it.

    Raises:
        UsageError: no trial matches, or the folder exists.
        FersearchError: the stored file is missing or broken.
    """
    lookup("format", format, FORMATS)
    with open_store(storage) as store:
        study = store.study(name)
        chosen = choose(store, study, trial, prefer, where)
        pulled = pull(study, chosen, out or pulled_folder(study.name, chosen.trial.number), force=force)
    if format == "onnx":
        from fersearch.api.checkpoint_export import export_checkpoint  # here, because it imports torch

        export_checkpoint(pulled.path, trust_plugin=trust_plugin, storage=storage)
    return pulled
