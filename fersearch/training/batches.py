"""In-memory batches: an index-select from the memory-mapped images, then one pass over the whole batch.

There is no worker process, no queue and no per-sample Python code between the images and the network.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from fersearch.data.arrays import Loaded
from fersearch.errors import lookup
from fersearch.space import Value
from fersearch.training.augment import Augmentation
from fersearch.training.losses import Targets
from fersearch.training.memory_format import MemoryFormat, arranged
from fersearch.training.numerics import wrap
from fersearch.training.sampling import Order, Sampling

RGB = Sequence[float]
NORMALISATIONS: dict[str, tuple[RGB, RGB] | None] = {
    "dataset": None,
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5,) * 3, (0.5,) * 3),
    "none": ((0.0,) * 3, (1.0,) * 3),
}


def normalised(loaded: Loaded, params: Mapping[str, Value]) -> Loaded:
    """Return the data with the normalisation that `params` names, mean and standard deviation of values from 0 to 1.

    `dataset`: those of its training images; `imagenet`: what torchvision's weights were trained with (grey
    images by the mean of the three channels); `half`: -1 to 1; `none`: 0 to 1.

    Raises:
        UnknownName: there is no such normalisation.
    """
    chosen = lookup("normalisation", str(params.get("normalisation", "dataset")), NORMALISATIONS)
    if chosen is None:
        return loaded
    grey = loaded.task.channels == 1
    mean, std = (tuple([sum(values) / 3] if grey else values) for values in chosen)
    return replace(loaded, mean=mean, std=std)


@dataclass(frozen=True)
class Pixels:
    """Images (n, channels, size, size) uint8, and their conversion to normalised batches.

    They are held on the trial's device if they fit there, else in memory shared by all trials.
    `scale` and `shift` (1, channels, 1, 1) map a byte to its normalised value. Batches have `memory_format`.
    """

    images: Tensor
    scale: Tensor
    shift: Tensor
    memory_format: MemoryFormat = "contiguous"

    @classmethod
    def of(
        cls,
        images: "np.ndarray[Any, Any]",
        mean: Sequence[float],
        std: Sequence[float],
        device: torch.device,
        memory_format: MemoryFormat = "contiguous",
    ) -> "Pixels":
        """Wrap an array without copying it; `mean` and `std` are per channel, of values from 0 to 1."""
        centre, spread = (torch.tensor(value, dtype=torch.float32).view(1, -1, 1, 1) for value in (mean, std))
        scale, shift = 1 / (255 * spread), -centre / spread
        return cls(_resident(wrap(images), device), scale.to(device), shift.to(device), memory_format)

    @property
    def device(self) -> torch.device:
        """The device that batches come out on."""
        return self.scale.device

    def rows(self, indices: "np.ndarray[Any, Any] | Sequence[int]") -> Tensor:
        """Indices of images as `take` wants them."""
        return wrap(np.asarray(indices, dtype=np.int64)).to(self.images.device)

    def take(self, rows: Tensor) -> Tensor:
        """Return the images of some rows, normalised: float32 (len(rows), channels, size, size)."""
        return self.arranged(self.gathered(rows))

    def arranged(self, images: Tensor) -> Tensor:
        """Return images in the memory format of the network."""
        return arranged(images, self.memory_format)

    def gathered(self, rows: Tensor) -> Tensor:
        """Return the same as `take`, contiguous, on which augmentation is fastest."""
        batch = self.images.index_select(0, rows)
        if batch.device != self.device:
            batch = batch.pin_memory() if self.device.type == "cuda" else batch
            batch = batch.to(self.device, non_blocking=True)
        return batch.float().mul_(self.scale).add_(self.shift)


class Source(Protocol):
    """A source of network input: the pixels of images, or features computed from them."""

    @property
    def images(self) -> Tensor:
        """All inputs, as they are stored in memory."""

    @property
    def device(self) -> torch.device:
        """The device that batches come out on."""

    def rows(self, indices: "np.ndarray[Any, Any] | Sequence[int]") -> Tensor:
        """Indices of images as `take` wants them."""

    def take(self, rows: Tensor) -> Tensor:
        """Return the input for some rows, float32, in the memory format of the network."""

    def gathered(self, rows: Tensor) -> Tensor:
        """Return the input for some rows in the memory format that is cheapest to make."""

    def arranged(self, images: Tensor) -> Tensor:
        """Return input in the memory format of the network."""


class Batches:
    """The training images of a trial in the order of `sampling`, augmented and with their targets."""

    def __init__(
        self,
        pixels: Source,
        targets: Targets,
        rows: "np.ndarray[Any, Any]",
        batch_size: int,
        augmentation: Augmentation,
        sampling: Sampling | None = None,
    ) -> None:
        self.pixels = pixels
        self.targets = targets
        self.batch_size = batch_size
        self.augmentation = augmentation
        self._rows = wrap(np.asarray(rows, dtype=np.int64))
        self.sampling = sampling or Sampling("shuffle", self._rows)
        self.count = self.sampling.count
        self.parts = slices(self.count, batch_size)

    def __len__(self) -> int:
        return len(self.parts)

    @property
    def plain(self) -> bool:
        """Whether images are returned unchanged, only in another order or number."""
        return not (self.augmentation.active or self.sampling.blends)

    def epoch(self, seed: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield `count` images, as (images, targets) on the device; the seed decides every draw.

        With `start`, the batches before it are skipped; those after it are the same as in the whole epoch.
        """
        generator = torch.Generator().manual_seed(seed)
        order = self.sampling.draw(generator)
        rows = self._rows[order.places]
        targets = self.targets.draw(rows, generator)
        blend = self._blend(order, targets, generator)
        targets = targets.to(self.pixels.device)
        plan = self.augmentation.plan(len(rows), generator).to(self.pixels.device)
        rows = rows.to(self.pixels.images.device)
        for part in self.parts[start:]:
            images = self.pixels.gathered(rows[part])
            if blend:
                images = blend(images, part)
            images, shares = self.augmentation.apply(images, targets[part], plan[part])
            yield self.pixels.arranged(images), shares

    def _blend(
        self, order: Order, targets: Tensor, generator: torch.Generator
    ) -> Callable[[Tensor, slice], Tensor] | None:
        """Blend the targets with those of the partners, in place; return the function that blends a batch's images."""
        if order.partners is None or order.shares is None:
            return None
        partners, shares = self._rows[order.partners], order.shares.view(-1, 1)
        if targets.is_floating_point():
            targets.lerp_(self.targets.draw(partners, generator), shares)
        partners, shares = partners.to(self.pixels.images.device), shares.to(self.pixels.device)
        return lambda images, part: images.lerp_(self.pixels.gathered(partners[part]), shares[part].view(-1, 1, 1, 1))


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
