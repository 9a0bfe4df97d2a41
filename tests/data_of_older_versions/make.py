"""Makes what a version of fersearch leaves behind: a home, pulled checkpoints, and what that version says of them.

Run it with the version in question first on the path, and an empty folder:

    git worktree add /tmp/version COMMIT
    cd /tmp && PYTHONPATH=/tmp/version:/tmp/version/plugins python .../make.py /tmp/made
    tar -C /tmp/made -c --sort=name --owner=0 --group=0 --mtime=@0 . | xz -9e > COMMIT.tar.xz
"""

import json
import os
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIZES = {"train": "60", "valid": "40", "test": "40", "image_size": "16", "hardness": "0"}
SETTINGS = {
    "batch_size": "16",
    "optimizer": "sgd",
    "momentum": "0",
    "nesterov": "false",
    "scheduler": "none",
    "augmentation": "none",
    "loss": "cross_entropy",
    "class_weights": "none",
    "dropout": "0",
    "learning_rate": "0.02..0.2",
    "label_smoothing": "0",
    "weight_decay": "0.0001..0.001",
}
CNN = {"activation": "relu", "batch_norm": "true", "convolutions": "2", "width": "1"}
OWN = '''"""A network of a user's own: one linear layer."""

from fersearch import Architecture, hookimpl


class Own(Architecture):
    name = "own"
    stage_names = ("body", "head")

    def build(self, params, task):
        from torch import nn

        return nn.Sequential(nn.Flatten(), nn.Linear(task.channels * task.image_size**2, task.num_classes))

    def stages(self, model):
        return [model[0], model[1]]


@hookimpl
def register_architectures(register):
    register(Own())
'''


def create(name: str, model: str, trials: int, epochs: int, **wishes: Any) -> str:
    from fersearch import api

    options = {
        "sampler": "random",
        "pruner": "none",
        "objectives": ("accuracy", "parameters"),
        "keep": "all",
        "seed": 3,
    }
    settings = {**SETTINGS, **(CNN if model == "cnn" else {})}
    spec = api.create_study(
        model,
        "faces",
        name=name,
        trials=trials,
        epochs=str(epochs),
        dataset_options=SIZES,
        settings=settings,
        **{**options, **wishes},
    )
    return spec.name


def interrupt_at(epoch: int, name: str) -> None:
    """Run a study and press Ctrl-C when a trial has reported an epoch."""
    from fersearch import api
    from fersearch.engines.driver import Interrupted
    from fersearch.engines.local import Observer

    class Watcher(Observer):
        def epoch(self, trial: Any, epoch_seen: Any, decision: Any) -> None:
            if epoch_seen.number == epoch:
                os.kill(os.getpid(), signal.SIGINT)

    try:
        api.run_study(name, slots=1, observer=Watcher())
    except Interrupted:
        return
    raise AssertionError("it was not interrupted")


def photos(folder: Path) -> list[Path]:
    """Noise in odd sizes, grey and in colour, as a person gives images to `predict`."""
    random = np.random.default_rng(5)
    shapes = [(16, 16), (40, 30), (24, 48, 3), (16, 16, 3)]
    folder.mkdir()
    paths = [folder / f"{number}.png" for number in range(len(shapes))]
    for path, shape in zip(paths, shapes, strict=True):
        Image.fromarray(random.integers(0, 256, shape, np.uint8)).save(path)
    return paths


def predictions_of(folder: Path, images: list[Path], trust: bool) -> dict[str, Any]:
    """What this version predicts and measures with a checkpoint."""
    from fersearch import api

    predicted = api.predict(folder, images, trust_plugin=trust)
    valid = api.evaluate(folder, trust_plugin=trust)
    return {
        "predictions": [{**asdict(one), "image": Path(one.image).name} for one in predicted],
        "valid": {"n": valid.n, "metrics": dict(valid.metrics)},
    }


def main(out: Path) -> None:
    os.environ["FERSEARCH_HOME"] = str(out / "home")
    os.environ.pop("FERSEARCH_STORAGE", None)
    os.chdir(out)
    from fersearch import api

    own = out / "own.py"
    own.write_text(OWN)
    api.run_study(create("finished", "cnn", 3, 20), slots=1)
    api.run_study(create("owned", "own", 1, 2, plugins=[own]), slots=1)
    interrupt_at(2, create("waiting", "cnn", 2, 8))
    api.pull_checkpoint("finished", trial=0, out=out / "pulled")
    api.pull_checkpoint("owned", trial=0, out=out / "pulled-own")
    api.make_ensemble(["finished"], out / "ensemble", method="stacking", metric="auc_macro", size=6)
    images = photos(out / "photos")
    folders = ("pulled", "pulled-own", "ensemble")
    expected = {name: predictions_of(out / name, images, trust=name == "pulled-own") for name in folders}
    expected["trials"] = {
        name: [
            {
                "number": trial.number,
                "state": trial.state.value,
                "params": dict(trial.params),
                "values": dict(trial.values),
            }
            for trial in api.list_trials(name)
        ]
        for name in ("finished", "owned", "waiting")
    }
    (out / "said.json").write_text(json.dumps(expected, indent=1) + "\n")
    own.unlink()


if __name__ == "__main__":
    folder = Path(sys.argv[1]).absolute()
    folder.mkdir(parents=True)
    main(folder)
