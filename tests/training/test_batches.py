"""Batches hold every image once, normalised, with its own target."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from fersearch.data.arrays import Loaded
from fersearch.training.augment import PRESETS, Augmentation
from fersearch.training.batches import NORMALISATIONS, Batches, Pixels, normalised, slices
from fersearch.training.losses import Targets
from fersearch.training.sampling import Sampling

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
    result = [(everything == image).flatten(1).all(1).nonzero().item() for image in images]
    assert sorted(result) == list(range(32))
    assert torch.equal(labels, torch.from_numpy(loaded.hard[loaded.indices["train"][result]]))


def test_the_seed_decides_order_and_augmentation(patterns: Make) -> None:
    batches = batches_of(patterns(48), 8, "standard")
    first, again, other = (torch.cat([images for images, _ in batches.epoch(seed)]) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def unequal(loaded: Loaded, rule: str, size: int = 7) -> Batches:
    """Batches of 16 images of class 0 and 4 of class 1, sampled by a rule."""
    rows = np.concatenate((np.flatnonzero(loaded.hard == 0)[:16], np.flatnonzero(loaded.hard == 1)[:4]))
    pixels = Pixels.of(loaded.images, loaded.mean, loaded.std, CPU)
    targets = Targets.of("votes", loaded.hard, loaded.soft, 4)
    sampling = Sampling(rule, torch.from_numpy(loaded.hard[rows]))
    return Batches(pixels, targets, rows, size, Augmentation(PRESETS["none"], 4), sampling)


@pytest.mark.parametrize(("rule", "count"), [("shuffle", 20), ("weighted", 20), ("oversample", 32), ("undersample", 8)])
def test_the_number_of_batches_follows_the_sampling(patterns: Make, rule: str, count: int) -> None:
    batches = unequal(patterns(96), rule)
    sizes = [len(images) for images, _ in batches.epoch(1)]
    assert (len(sizes), sum(sizes)) == (len(batches), count)
    assert batches.count == count
    assert batches.plain


def test_each_sampled_image_keeps_its_label(patterns: Make) -> None:
    loaded = patterns(96)
    batches = unequal(loaded, "balanced")
    everything = batches.pixels.take(batches.pixels.rows(np.arange(96)))
    for images, labels in batches.epoch(1):
        result = [int((everything == image).flatten(1).all(1).nonzero()[0]) for image in images]
        assert labels.tolist() == loaded.hard[result].tolist()


def test_smote_blends_pixels_and_shares_of_two_images_of_a_class(patterns: Make) -> None:
    loaded = patterns(96, soft=True)
    assert loaded.soft is not None
    loaded.soft[:] = np.random.default_rng(0).dirichlet(np.ones(4), 96)
    batches = unequal(loaded, "smote", size=32)
    assert not batches.plain
    own = batches.pixels.take(torch.from_numpy(np.flatnonzero(loaded.hard == 1)[:4]))
    shares = torch.from_numpy(loaded.soft[np.flatnonzero(loaded.hard == 1)[:4]])
    blended = 0
    for image, target in zip(*next(iter(batches.epoch(1))), strict=True):
        inside = [(i, j) for i in range(4) for j in range(4) if _between(image, own[i], own[j])]
        for i, j in inside:
            share = ((image - own[i]).norm() / (own[j] - own[i]).norm()).item()
            torch.testing.assert_close(target, torch.lerp(shares[i], shares[j], share), atol=1e-4, rtol=1e-3)
        blended += bool(inside)
    assert blended >= 6


def _between(image: torch.Tensor, one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether an image lies on the line between two, and is neither."""
    whole, part, rest = (other - one).norm(), (image - one).norm(), (other - image).norm()
    return bool(torch.isclose(part + rest, whole, rtol=1e-5) and min(part, rest) > 1e-3 * whole)


@pytest.mark.parametrize("name", sorted(NORMALISATIONS))
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_normalised_as_configured(patterns: Make, name: str, channels: int) -> None:
    loaded = normalised(patterns(12, channels=channels), {"normalisation": name})
    assert len(loaded.mean) == len(loaded.std) == channels
    pixels = Pixels.of(loaded.images, loaded.mean, loaded.std, CPU)
    images = pixels.take(pixels.rows([3]))
    mean, std = (torch.tensor(value).view(1, -1, 1, 1) for value in (loaded.mean, loaded.std))
    expected = (torch.from_numpy(loaded.images[3:4] / 255) - mean) / std
    torch.testing.assert_close(images, expected.float(), atol=1e-5, rtol=1e-5)
    known = {"imagenet": 0.485 if channels == 3 else 0.449, "half": 0.5, "none": 0.0}
    if name in known:
        assert loaded.mean[0] == pytest.approx(known[name])


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
