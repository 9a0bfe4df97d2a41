"""How much faster an epoch of a frozen `resnet18` is with the features of its frozen prefix cached.

python -m tests.benchmarks.cache [--images 1000] [--epochs 6]
"""

import argparse
import os
import statistics
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from fersearch_architectures.resnet import ResNet18

from fersearch import registry
from fersearch.data import arrays
from fersearch.study import Objective
from fersearch.training.context import TrainingContext
from fersearch.training.freezing import freeze
from fersearch.training.loop import train
from tests.benchmarks.trainer import PARAMS

FROZEN = {"freeze": "all_but_last", "frozen_batch_norm": "fixed", "augmentation": "none", "dropout": 0.2}
CPU = torch.device("cpu")


def epochs(loaded: arrays.Loaded, folder: Path, count: int, cached: bool) -> tuple[list[float], list[float]]:
    """Wall seconds of each epoch with its validation, and the validation losses."""
    params: dict[str, Any] = {**PARAMS, **FROZEN, "epochs": count, "first_conv": "sum", "target": "majority"}
    torch.manual_seed(0)
    model = ResNet18().build(params, loaded.task)
    options: dict[str, Any] = {"device": CPU, "metrics": {}, "objective": Objective("valid_loss", "min"), "seed": 0}
    fixed = freeze(ResNet18(), model, params)
    context = TrainingContext(**options, scratch=folder, fixed=fixed, save_every=1e9)
    running = train(model, loaded, params, context)
    seconds, losses = [], []
    last = time.perf_counter()
    with nullcontext() if cached else mock.patch("fersearch.training.loop.find_prefix", return_value=None):
        for epoch in running:
            seconds.append(time.perf_counter() - last)
            losses.append(epoch.values["valid_loss"])
            last = time.perf_counter()
    return seconds, losses


def main() -> None:
    """Train with and without the cache and print the ratio of what an epoch takes after the first."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=6)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        dataset = registry.load().dataset("faces")
        options = {"train": chosen.images, "valid": max(100, chosen.images // 5), "test": 100}
        prepared = arrays.prepare(dataset, None, options, Path(name) / "prepared")
        loaded = arrays.load(dataset, prepared, options)
        with_cache, losses = epochs(loaded, Path(name), 4 * chosen.epochs, cached=True)
        without, plain = epochs(loaded, Path(name), chosen.epochs, cached=False)
    later = statistics.median(with_cache[1:]), statistics.median(without[1:])
    apart = max(abs(a - b) for a, b in zip(losses, plain, strict=False) if losses)
    print(
        f"frozen resnet18, {chosen.images} images of 48x48 and validation, one thread, {os.cpu_count()} cores\n"
        f"first epoch, with the pass that fills the cache  {with_cache[0]:8.3f} s\n"
        f"an epoch after it                                {later[0]:8.4f} s\n"
        f"an epoch without the cache                       {later[1]:8.3f} s\n"
        f"faster after the first pass                      {later[1] / later[0]:8.0f} times\n"
        f"largest difference of a validation loss          {apart:8.1e}"
    )


if __name__ == "__main__":
    main()
