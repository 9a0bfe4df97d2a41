"""Batches hold every image once, normalised, with its own target."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from fersearch.data.arrays import Loaded
from fersearch.training.augment import PRESETS, Augmentation
from fersearch.training.batches import Batches, Pixels, slices
from fersearch.training.losses import Targets

Make = Callable[..., Loaded]
CPU = torch.device("cpu")


def batches_of(loaded: Loaded, size: int, preset: str = "none") -> Batches:
    pixels = Pixels.of(loaded.images, loaded.mean, loaded.std, CPU)
    targets = Targets.of("majority", loaded.hard, loaded.soft, loaded.task.num_classes)
    return Batches(pixels, targets, loaded.indices["train"], size, Augmentation(PRESETS[preset], 4))


def test_pixels_are_normalised_by_channel(patterns: Make) -> None:
    loaded = patterns(12, channels=3)
    pixels = Pixels.of(loaded.images, loaded.mean, loaded.std, CPU)
    everything = pixels.take(pixels.rows(np.arange(12)))
    assert everything.dtype == torch.float32
    torch.testing.assert_close(everything.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(everything.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-4, rtol=0)


def test_images_are_not_copied_on_a_cpu_even_when_mapped_read_only(patterns: Make) -> None:
    loaded = patterns(12)
    loaded.images.flags.writeable = False
    pixels = Pixels.of(loaded.images, loaded.mean, loaded.std, CPU)
    assert pixels.images.data_ptr() == loaded.images.ctypes.data


def test_an_epoch_holds_every_training_image_once_with_its_label(patterns: Make) -> None:
    loaded = patterns(48)
    batches = batches_of(loaded, 5)
    images, labels = (torch.cat(parts) for parts in zip(*batches.epoch(1), strict=True))
    everything = batches.pixels.take(batches.pixels.rows(loaded.indices["train"]))
    found = [(everything == image).flatten(1).all(1).nonzero().item() for image in images]
    assert sorted(found) == list(range(32))
    assert torch.equal(labels, torch.from_numpy(loaded.hard[loaded.indices["train"][found]]))


def test_the_seed_decides_order_and_augmentation(patterns: Make) -> None:
    batches = batches_of(patterns(48), 8, "standard")
    first, again, other = (torch.cat([images for images, _ in batches.epoch(seed)]) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("count", "size", "sizes"),
    [(10, 4, [4, 4, 2]), (9, 4, [4, 5]), (8, 4, [4, 4]), (1, 4, [1]), (3, 64, [3]), (3, 1, [1, 2])],
)
def test_no_batch_of_one_is_left_behind_others(count: int, size: int, sizes: list[int]) -> None:
    assert [part.stop - part.start for part in slices(count, size)] == sizes


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gets_the_same_batches(patterns: Make) -> None:
    loaded = patterns(48)
    cuda = Pixels.of(loaded.images, loaded.mean, loaded.std, torch.device("cuda:0"))
    assert cuda.images.is_cuda
    here = batches_of(loaded, 8, "standard")
    there = Batches(cuda, here.targets, loaded.indices["train"], 8, here.augmentation)
    for (images, labels), (moved, targets) in zip(here.epoch(1), there.epoch(1), strict=True):
        torch.testing.assert_close(moved.cpu(), images, atol=1e-4, rtol=0)
        assert torch.equal(targets.cpu(), labels)
