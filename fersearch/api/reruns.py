"""Train a trial's configuration again and compare; the study's rows do not change."""

from collections.abc import Callable
from pathlib import Path

from fersearch.context import open_store
from fersearch.engines.rerun import Rerun, RerunRequest, rerun
from fersearch.trial import Epoch


def rerun_trial(
    name: str,
    number: int,
    *,
    seed: int | None = None,
    device: str | None = None,
    out: Path | None = None,
    force: bool = False,
    data: Path | None = None,
    storage: str | None = None,
    report: Callable[[Epoch], None] = lambda _: None,
) -> Rerun:
    """Train a trial's configuration again as the study did, in a separate process; nothing is stored.

    A trial that was stopped early is stopped after as many epochs.

    Args:
        seed: another seed than the study's.
        device: another device than the recorded one, by its name in torch.
        out: a folder for the model, as `pull_checkpoint` writes it.
        force: replace a pulled checkpoint that is there.
        data: the folder of the trial's data, if it has moved.
        report: called with every epoch.

    Raises:
        UsageError: the trial has not ended, or the folder exists.
        FersearchError: training fails.
        DataError: the data is missing or broken, or differs from what the trial saw.
    """
    with open_store(storage) as store:
        return rerun(store, store.study(name), number, RerunRequest(seed, device, out, force, data), report)
