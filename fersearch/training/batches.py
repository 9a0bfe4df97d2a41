"""In-memory batches: an index-select from the mapped images, then one pass over the whole batch.

No process, no queue and no per-sample Python stands between the images and the network.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fersearch.training.augment import Augmentation
from fersearch.training.losses import Targets
from fersearch.training.tensors import wrap


@dataclass(frozen=True)
class Pixels:
    """Images (n, channels, size, size) uint8, and how a batch of them becomes input.

    They lie on the trial's device where they fit there, else in memory shared by all trials.
    `scale` and `shift` (1, channels, 1, 1) take a byte to its normalised value.
    """

    images: Tensor
    scale: Tensor
    shift: Tensor

    @classmethod
    def of(
        cls, images: "np.ndarray[Any, Any]", mean: Sequence[float], std: Sequence[float], device: torch.device
    ) -> "Pixels":
        """Wrap an array without copying it; `mean` and `std` are per channel, of values from 0 to 1."""
        centre, spread = (torch.tensor(value, dtype=torch.float32).view(1, -1, 1, 1) for value in (mean, std))
        scale, shift = 1 / (255 * spread), -centre / spread
        return cls(_resident(wrap(images), device), scale.to(device), shift.to(device))

    @property
    def device(self) -> torch.device:
        """The device that batches come out on."""
        return self.scale.device

    def rows(self, indices: "np.ndarray[Any, Any] | Sequence[int]") -> Tensor:
        """Indices of images as `take` wants them."""
        return wrap(np.asarray(indices, dtype=np.int64)).to(self.images.device)

    def take(self, rows: Tensor) -> Tensor:
        """The images of some rows, normalised: float32 (len(rows), channels, size, size)."""
        batch = self.images.index_select(0, rows)
        if batch.device != self.device:
            batch = batch.pin_memory() if self.device.type == "cuda" else batch
            batch = batch.to(self.device, non_blocking=True)
        return batch.float().mul_(self.scale).add_(self.shift)


class Batches:
    """The training images of a trial, shuffled, augmented and with their targets."""

    def __init__(
        self,
        pixels: Pixels,
        targets: Targets,
        rows: "np.ndarray[Any, Any]",
        batch_size: int,
        augmentation: Augmentation,
    ) -> None:
        self.pixels = pixels
        self.targets = targets
        self.batch_size = batch_size
        self.count = len(rows)
        self.parts = slices(self.count, batch_size)
        self.augmentation = augmentation
        self._rows = wrap(np.asarray(rows, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.parts)

    def epoch(self, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield every image once, as (images, targets) on the device; the seed decides every draw."""
        generator = torch.Generator().manual_seed(seed)
        rows = self._rows[torch.randperm(len(self._rows), generator=generator)]
        targets = self.targets.draw(rows, generator).to(self.pixels.device)
        plan = self.augmentation.plan(len(rows), generator).to(self.pixels.device)
        rows = rows.to(self.pixels.images.device)
        for part in self.parts:
            yield self.augmentation.apply(self.pixels.take(rows[part]), targets[part], plan[part])


def slices(count: int, size: int) -> list[slice]:
    """Cut `count` images into batches; a last batch of one joins the one before it.

    Batch normalisation cannot learn from one value per channel.
    """
    starts = list(range(0, count, size))
    if len(starts) > 1 and count - starts[-1] == 1:
        starts.pop()
    return [slice(start, end) for start, end in zip(starts, [*starts[1:], count], strict=True)]


def _resident(images: Tensor, device: torch.device) -> Tensor:
    """Move the images to a CUDA device if they take less than a quarter of its free memory."""
    if device.type != "cuda":
        return images
    free, _ = torch.cuda.mem_get_info(device)
    return images.to(device) if images.numel() < free / 4 else images
