"""Views are cut and mirrored where they should be, and shares averaged over them."""

import pytest
import torch
from torch import nn

from fersearch import Task
from fersearch.components import trained_task
from fersearch.errors import UnknownName, UsageError
from fersearch.training.augment import VIEWS, as_evaluated


class Corner(nn.Module):
    """Two logits from the upper left pixel of what it is shown; notes the sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.sizes.append(images.shape[-1])
        value = images[:, 0, 0, 0]
        return torch.stack((value, -value), 1)


IMAGES = torch.randn(3, 1, 16, 16, generator=torch.Generator().manual_seed(0))


def test_a_model_that_sees_whole_images_once_is_judged_as_it_is() -> None:
    model = Corner()
    assert as_evaluated(model, {}) is model
    assert as_evaluated(model, {"tta": "flip"}, tta="none") is model
    assert as_evaluated(model, {"tta": "flip"}) is not model


def test_flip_averages_the_shares_of_an_image_and_its_mirror() -> None:
    model = Corner()
    expected = (model(IMAGES).softmax(1) + model(IMAGES.flip(3)).softmax(1)) / 2
    logits = as_evaluated(model, {}, tta="flip")(IMAGES)
    torch.testing.assert_close(logits.softmax(1), expected)
    torch.testing.assert_close(logits.exp(), expected)


def test_a_cropped_model_is_shown_the_centre() -> None:
    model = Corner()
    logits = as_evaluated(model, {"crop": 12})(IMAGES)
    assert torch.equal(logits[:, 0], IMAGES[:, 0, 2, 2])
    assert model.sizes == [12]


def test_ten_crops_are_the_corners_and_the_centre_each_with_its_mirror() -> None:
    views = list(VIEWS["ten_crop"](IMAGES, 12))
    places = [(0, 0), (0, 4), (4, 0), (4, 4), (2, 2)]
    cuts = [IMAGES[..., top : top + 12, left : left + 12] for top, left in places]
    assert len(views) == 10
    for cut, view, mirror in zip(cuts, views[::2], views[1::2], strict=True):
        assert torch.equal(view, cut)
        assert torch.equal(mirror, cut.flip(3))
    assert all(torch.equal(view, cut) for view, cut in zip(VIEWS["five_crop"](IMAGES, 12), cuts, strict=True))


def test_corners_of_images_without_a_crop_are_enlarged_again() -> None:
    model = Corner()
    logits = as_evaluated(model, {}, tta="ten_crop")(IMAGES)
    assert model.sizes == [16] * 10
    assert logits.shape == (3, 2)
    assert not torch.equal(logits, as_evaluated(model, {})(IMAGES))


def test_shares_that_vanish_stay_finite() -> None:
    logits = as_evaluated(Corner(), {}, tta="flip")(torch.full((1, 1, 8, 8), 300.0))
    assert torch.isfinite(logits).all()


def test_its_weights_are_shared_with_the_model() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    judged = as_evaluated(model, {"crop": 8})
    assert not judged.training
    assert sum(weight.numel() for weight in judged.parameters()) == 130


def test_an_unknown_augmentation_is_reported() -> None:
    with pytest.raises(UnknownName, match="did you mean 'ten_crop'"):
        as_evaluated(Corner(), {}, tta="ten_crops")


def test_the_network_is_built_for_what_is_cropped() -> None:
    task = Task(("a", "b"), 1, 48)
    assert trained_task(task, {}) == task
    assert trained_task(task, {"crop": 40}) == Task(("a", "b"), 1, 40)
    with pytest.raises(UsageError, match="64 pixels cannot be cut from images of 48x48"):
        trained_task(task, {"crop": 64})
