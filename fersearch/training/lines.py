"""What a trial's log says of each epoch."""

import logging

from fersearch.trial import Epoch

log = logging.getLogger(__name__)


def tell(epoch: Epoch, planned: int, rounds: int, best: bool) -> None:
    """Log an epoch in one line: losses and accuracies of train and validation, its time, whether it is kept."""
    place = f"round {epoch.round}/{rounds}, " if rounds > 1 else ""
    named = {
        "train loss": "train_loss",
        "accuracy": "train_accuracy",
        "valid loss": "valid_loss",
        "valid accuracy": "accuracy",
    }
    told = ", ".join(f"{name} {epoch.values[key]:.4f}" for name, key in named.items() if key in epoch.values)
    kept = "; the best so far: saving its weights" if best else ""
    log.info("%sepoch %d of %d: %s, %.1f s%s", place, epoch.number, planned * rounds, told, epoch.seconds, kept)
