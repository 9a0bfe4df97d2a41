"""The trainer's samples per second against the bare training step, and against a per-sample DataLoader.

    python -m tests.benchmarks.trainer [--rounds 5] [--images 6400] [--networks [NAME ...]]

Every side trains the FER+ report's network on 48x48 grey images with batches of 64 and SGD. The
bare step runs over normalised float batches that are ready in memory. The DataLoader reads PIL
images and transforms each by torchvision v2, with every number of workers up to the cores.
The sides take turns, and a ratio is that of one turn; the table shows medians. The ratio by CPU
seconds is the one to trust beside a busy neighbour; it leaves out what DataLoader workers use.

With `--networks` it is one thread, `standard` augmentation and several networks, in both memory
formats against the bare contiguous step, with what a rehearsal says of each.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
import torch.nn.functional as F
from fersearch_architectures.cnn import Cnn
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from fersearch import Architecture, Task, registry
from fersearch.data.arrays import Loaded
from fersearch.study import Objective
from fersearch.training.augment import PRESETS
from fersearch.training.batches import Pixels
from fersearch.training.context import TrainingContext
from fersearch.training.loop import train
from fersearch.training.measure import synchronize
from fersearch.training.memory_format import MemoryFormat, arrange
from fersearch.training.numerics import Precision
from fersearch.training.rehearsal import Subject, rehearse
from fersearch.training.request import TrialRequest

Params = Mapping[str, Any]
NONE: Params = {}
NETWORKS: dict[str, tuple[str, Params]] = {
    "cnn": ("cnn", NONE),
    "cnn width 2": ("cnn", {"width": 2}),
    **{name: (name, NONE) for name in ("cnn_umoru", "resnet18", "vgg13_ferplus", "timm:mobilenetv3_small_100")},
}
Side = Callable[[], tuple[float, float]]  # wall and CPU seconds of a pass
BATCH, CLASSES = 64, 8
CPU = torch.device("cpu")
PARAMS: dict[str, Any] = {
    "batch_size": BATCH,
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "momentum": 0.9,
    "nesterov": False,
    "weight_decay": 1e-4,
    "scheduler": "none",
    "dropout": 0.1,
    "loss": "cross_entropy",
}


def data(count: int) -> Loaded:
    """Noise in the shape of FER+: speed does not depend on what is seen."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count + BATCH, 1, 48, 48), dtype=np.uint8)
    hard = random.integers(0, CLASSES, count + BATCH)
    indices = {"train": np.arange(count), "valid": np.arange(count, count + BATCH)}
    task = Task(tuple(f"class{k}" for k in range(CLASSES)))
    return Loaded(images, hard, None, indices, task, (0.5,), (0.29,), "0" * 64, "majority", "")


def new_model(model: Architecture | None = None, device: torch.device = CPU, own: Params = NONE) -> nn.Module:
    """The network (`cnn` if none is given) with parameters of its `own`, its first weights the same on every side."""
    torch.manual_seed(0)
    return (model or Cnn()).build({**PARAMS, **own}, Task(tuple("abcdefgh"))).to(device)


def new_optimizer(model: nn.Module) -> torch.optim.Optimizer:
    """The optimiser that the recipe would make."""
    return torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, fused=True)


def steps(model: nn.Module, updates: torch.optim.Optimizer, batches: Any, cast: Any = nullcontext) -> None:
    """Forward, backward, step over batches; `cast` makes the context of the forward pass."""
    model.train()
    for images, labels in batches:
        with cast():
            loss = F.cross_entropy(model(images), labels)
        updates.zero_grad(set_to_none=True)
        loss.backward()
        updates.step()


def bare(
    loaded: Loaded,
    model: Architecture | None = None,
    device: torch.device = CPU,
    cast: Any = nullcontext,
    own: Params = NONE,
) -> Side:
    """A pass over batches that are ready on the device."""
    pixels = Pixels.of(loaded.images, loaded.mean, loaded.std, device)
    rows = pixels.rows(loaded.indices["train"]).split(BATCH)
    ready = [(pixels.take(part), torch.from_numpy(loaded.hard[part.cpu().numpy()]).to(device)) for part in rows]
    network = new_model(model, device, own)
    updates = new_optimizer(network)

    def side() -> None:
        steps(network, updates, ready, cast)
        synchronize(device)

    return lambda: timed(side)


def trainer(
    loaded: Loaded,
    augmentation: str,
    folder: Path,
    epochs: int,
    model: Architecture | None = None,
    device: torch.device = CPU,
    precision: Precision = "float32",
    memory_format: MemoryFormat = "contiguous",
    own: Params = NONE,
) -> Side:
    """The next epoch of a trial, without its validation."""
    context = TrainingContext(
        device=device,
        metrics={},
        objective=Objective("valid_loss", "min"),
        seed=0,
        scratch=folder,
        precision=precision,
        pixels=Pixels.of(loaded.images, loaded.mean, loaded.std, device, memory_format),
        save_every=1e9,
    )
    params = {**PARAMS, **own, "augmentation": augmentation, "epochs": epochs}
    training = train(arrange(new_model(model, device, own), memory_format), loaded, params, context)

    def side() -> tuple[float, float]:
        epoch = next(training)
        return epoch.seconds, epoch.cpu_seconds

    return side


class Faces(Dataset[Any]):
    """One PIL image at a time, augmented as `standard` does."""

    def __init__(self, loaded: Loaded) -> None:
        self.images = [Image.fromarray(image[0]) for image in loaded.images[loaded.indices["train"]]]
        self.labels = loaded.hard[loaded.indices["train"]]
        chosen = PRESETS["standard"]
        moved, size = chosen.translation, chosen.scale
        self.change = v2.Compose(
            [
                v2.RandomAffine(
                    chosen.rotation, (moved, moved), (1 - size, 1 + size), chosen.shear, v2.InterpolationMode.BILINEAR
                ),
                v2.RandomHorizontalFlip(chosen.flip),
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
                v2.Normalize(loaded.mean, loaded.std),
                v2.RandomErasing(chosen.erasing, (0.02, 0.2)),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.change(self.images[index]), int(self.labels[index])


def dataloader(loaded: Loaded, workers: int) -> Side:
    """A pass over a DataLoader whose workers are up already."""
    batches: DataLoader[Any] = DataLoader(
        Faces(loaded), BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    model = new_model()
    updates = new_optimizer(model)
    return lambda: timed(lambda: steps(model, updates, batches))


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Wall and CPU seconds of some work."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def compare(sides: dict[str, Side], count: int, rounds: int, against: str) -> dict[str, float]:
    """Take turns, print a line a side, and return each one's median ratio of speed to `against`."""
    for side in sides.values():
        side()
    turns = [{name: side() for name, side in sides.items()} for _ in range(rounds)]
    ratios = {}
    print(f"{'side':<24}{'samples/s':>11}{'of ' + against:>22}{'by CPU seconds':>17}")
    for name in sides:
        speed = count / statistics.median(turn[name][0] for turn in turns)
        wall, cpu = (statistics.median(turn[against][k] / turn[name][k] for turn in turns) for k in (0, 1))
        ratios[name] = wall
        print(f"{name:<24}{speed:>11,.0f}{wall:>22.3f}{cpu:>17.3f}")
    return ratios


def networks(loaded: Loaded, rounds: int, folder: Path, names: Sequence[str]) -> None:
    """Print a table for each network: the trainer in both formats, and what a rehearsal says."""
    count = len(loaded.indices["train"])
    for title in names:
        name, own = NETWORKS[title]
        model = registry.load().architecture(name)
        sides = {"bare step": bare(loaded, model, own=own)}
        for kind in get_args(MemoryFormat):
            place = folder / f"{title}-{kind}"
            sides[kind] = trainer(loaded, "standard", place, rounds + 1, model, memory_format=kind, own=own)
        print(f"\n{title}")
        compare(sides, count, rounds, "bare step")
        params = {**PARAMS, **own, "augmentation": "standard"}
        request = TrialRequest("", "", 0, 1, params, name, "", "", {}, Objective("valid_loss", "min"), 0, "", "")
        print(f"rehearsal: {rehearse(Subject(request, model, loaded, CPU, 'float32'))}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=6400)
    parser.add_argument("--networks", nargs="*", metavar="NAME", help=f"of {', '.join(NETWORKS)}; default all")
    options = parser.parse_args(arguments)
    loaded, cores = data(options.images), len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        torch.set_num_threads(1)
        if options.networks is not None:
            networks(loaded, options.rounds, Path(folder), options.networks or list(NETWORKS))
            return
        sides = {"bare step": bare(loaded)}
        for preset in ("none", "standard", "strong"):
            sides[f"trainer, {preset}"] = trainer(loaded, preset, Path(folder, preset), options.rounds + 1)
        last = trainer(loaded, "standard", Path(folder, "last"), options.rounds + 1, memory_format="channels_last")
        sides["standard, channels_last"] = last
        print("one thread")
        compare(sides, options.images, options.rounds, "bare step")
        torch.set_num_threads(cores)
        sides = {}
        for kind in get_args(MemoryFormat):
            place = Path(folder, f"cores-{kind}")
            sides[kind] = trainer(loaded, "standard", place, options.rounds + 1, memory_format=kind)
        for workers in range(cores + 1):
            sides[f"DataLoader, {workers} workers"] = dataloader(loaded, workers)
        print(f"\nall cores: {cores}")
        ratios = compare(sides, options.images, options.rounds, "contiguous")
        best = max(ratio for name, ratio in ratios.items() if name.startswith("DataLoader"))
        for kind in get_args(MemoryFormat):
            print(f"trainer, {kind}, against the best DataLoader: {ratios[kind] / best:.2f} times")


if __name__ == "__main__":
    main()
