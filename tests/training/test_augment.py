"""Each image gets draws of its own; the maps are those of the reference implementations."""

import math

import pytest
import torch
import torch.nn.functional as F

from fersearch.errors import UnknownName
from fersearch.training import augment
from fersearch.training.augment import PRESETS, Augmentation, Strengths, strengths


def plan_of(chosen: Strengths, count: int, seed: int = 0) -> torch.Tensor:
    return Augmentation(chosen, 4).plan(count, torch.Generator().manual_seed(seed))


def changed(chosen: Strengths, images: torch.Tensor, seed: int = 0) -> torch.Tensor:
    augmentation = Augmentation(chosen, 4)
    plan = augmentation.plan(len(images), torch.Generator().manual_seed(seed))
    return augmentation.apply(images.clone(), torch.zeros(len(images), dtype=torch.int64), plan)[0]


@pytest.mark.parametrize("size", [16, 48, 61])
def test_the_grid_is_that_of_torch(size: int) -> None:
    theta = torch.randn(9, 2, 3, generator=torch.Generator().manual_seed(1))
    expected = F.affine_grid(theta, [9, 1, size, size], align_corners=False)
    torch.testing.assert_close(augment.grid(theta, size), expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize("preset", sorted(set(PRESETS) - {"none"}))
def test_every_image_of_a_batch_is_changed_by_its_own_draw(preset: str) -> None:
    image = torch.randn(1, 1, 24, 24, generator=torch.Generator().manual_seed(1))
    results = changed(PRESETS[preset], image.repeat(32, 1, 1, 1))
    distinct = len({tuple(result.flatten().tolist()) for result in results})
    assert distinct == 2 if preset == "flip" else distinct == 32


def test_none_changes_nothing_and_plans_nothing() -> None:
    images = torch.randn(5, 1, 16, 16)
    assert plan_of(PRESETS["none"], 5).shape == (5, 0)
    assert torch.equal(changed(PRESETS["none"], images), images)


def test_no_preset_turns_a_face_upside_down_or_beyond_20_degrees() -> None:
    for chosen in PRESETS.values():
        assert chosen.rotation <= 20
        maps = plan_of(chosen, 512)[:, :6].reshape(-1, 2, 3) if chosen != Strengths() else torch.eye(2, 3)[None]
        assert (maps[:, 1, 1] > 0).all()


def test_a_flip_is_a_mirror_whether_alone_or_within_an_affine_map() -> None:
    images = torch.randn(6, 3, 16, 16)
    assert torch.equal(changed(Strengths(flip=1.0), images), images.flip(3))
    barely = Strengths(flip=1.0, rotation=1e-6)
    torch.testing.assert_close(changed(barely, images), images.flip(3), atol=1e-4, rtol=0)


def test_a_quarter_turn_is_rot90() -> None:
    images = torch.randn(1, 1, 16, 16)
    right_angle = torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]])
    torch.testing.assert_close(augment.warp(images, right_angle), images.rot90(1, (2, 3)), atol=1e-5, rtol=0)


def test_rotation_stays_within_its_strength() -> None:
    maps = plan_of(Strengths(rotation=15), 1000)[:, :6].reshape(-1, 2, 3)
    angles = torch.atan2(maps[:, 1, 0], maps[:, 0, 0]).rad2deg().abs()
    assert 14 < angles.max() <= 15.001
    torch.testing.assert_close(torch.linalg.det(maps[:, :, :2]), torch.ones(1000))


def test_translation_and_scale_stay_within_their_strengths() -> None:
    maps = plan_of(Strengths(translation=0.1, scale=0.25), 2000)[:, :6].reshape(-1, 2, 3)
    assert 0.19 < maps[:, :, 2].abs().max() <= 0.2
    zoom = torch.linalg.det(maps[:, :, :2]).sqrt()
    assert zoom.min() >= 1 / 1.25 - 1e-5
    assert 1.2 < zoom.max() <= 1.25 + 1e-5


def test_shear_stays_within_its_strength() -> None:
    maps = plan_of(Strengths(shear=10), 1000)[:, :6].reshape(-1, 2, 3)
    slant = maps[:, 0, 1].abs().max().item()
    assert math.tan(math.radians(9.5)) < slant <= math.tan(math.radians(10)) + 1e-6


def test_erasing_blanks_one_box_of_the_images_it_chooses() -> None:
    holes = changed(Strengths(erasing=0.5), torch.ones(400, 1, 40, 40))[:, 0] == 0
    touched = holes.flatten(1).any(1)
    assert 0.4 < touched.float().mean() < 0.6
    for hole in holes[touched]:
        rows, columns = hole.any(1), hole.any(0)
        assert torch.equal(hole, rows[:, None] & columns[None, :])
        assert hole.float().mean() <= augment.ERASED[1] + 0.04


def test_mixup_blends_images_and_targets_by_the_same_share() -> None:
    augmentation = Augmentation(Strengths(mixup=1.0), 8)
    images = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 1, 8, 8)
    plan = augmentation.plan(8, torch.Generator().manual_seed(0))
    mixed, targets = augmentation.apply(images.clone(), torch.arange(8), plan)
    assert len(set(plan[:, 10].tolist())) == 8
    torch.testing.assert_close(targets.sum(1), torch.ones(8))
    torch.testing.assert_close(mixed[:, 0, 0, 0], targets @ torch.arange(8.0))


def test_a_strength_set_alone_takes_the_place_of_the_presets() -> None:
    assert strengths({"augmentation": "light", "rotation": 3, "mixup": 0.4}) == Strengths(
        rotation=3, translation=0.05, scale=0.05, flip=0.5, mixup=0.4
    )
    assert strengths({"augmentation": "none", "flip": 0.5}) == PRESETS["flip"]
    with pytest.raises(UnknownName, match="unknown augmentation 'lihgt'"):
        strengths({"augmentation": "lihgt"})


def test_crops_are_cut_at_places_of_their_own() -> None:
    side = 12
    images = torch.arange(16 * 16.0).view(1, 1, 16, 16).repeat(64, 2, 1, 1)
    augmentation = Augmentation(PRESETS["none"], 4, crop=side)
    plan = augmentation.plan(64, torch.Generator().manual_seed(0))
    results, _ = augmentation.apply(images, torch.zeros(64, dtype=torch.int64), plan)
    assert results.shape == (64, 2, side, side)
    starts = set()
    for result in results:
        top, left = divmod(int(result[0, 0, 0]), 16)
        starts.add((top, left))
        assert torch.equal(result, images[0, :, top : top + side, left : left + side])
    assert {top for top, _ in starts} == {left for _, left in starts} == set(range(5))


def test_a_crop_at_the_very_end_stays_inside() -> None:
    images = torch.randn(2, 1, 16, 16)
    results = augment.cropped(images, torch.tensor([[1.0, 1.0], [0.0, 0.9999999]]), 10)
    assert torch.equal(results[0], images[0, :, 6:, 6:])
    assert torch.equal(results[1], images[1, :, :10, 6:])


def test_a_crop_goes_with_everything_else() -> None:
    augmentation = Augmentation(PRESETS["strong"], 4, crop=12)
    plan = augmentation.plan(8, torch.Generator().manual_seed(0))
    images, targets = augmentation.apply(torch.randn(8, 1, 16, 16), torch.zeros(8, dtype=torch.int64), plan)
    assert images.shape == (8, 1, 12, 12)
    assert targets.shape == (8, 4)


def test_a_crop_changes_no_other_draw() -> None:
    plain, cropping = (
        Augmentation(PRESETS["strong"], 4, crop).plan(8, torch.Generator().manual_seed(0)) for crop in (0, 12)
    )
    assert torch.equal(plain[:, :11], cropping[:, :11])
