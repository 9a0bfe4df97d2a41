"""Augmentation in batches on the trial's device, each image with its own random draws, and test-time augmentation.

Rotation, scale, shear, translation and flip are one affine map, whose sampling grid is one matrix product; a crop is an
index; erasing is a mask (Zhong et al. 2017, arXiv:1708.04896); mixup blends neighbours of a shuffled batch (Zhang et
al. 2018, arXiv:1710.09412). Faces are never turned upside down. Five- and ten-crop: Krizhevsky et al. 2012; the crops
of 40 of 48 pixels: Khaireddin and Chen 2021, arXiv:2105.03588.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fersearch.errors import lookup
from fersearch.space import Params, Value

DRAWS = 11  # uniform draws an image: 5 for the affine map, 1 flip, 5 for the erased box
ERASED = (0.02, 0.2)  # share of the image's area that is erased
Images = npt.NDArray[np.uint8]
CUT = 7 / 8  # share of the side that is kept of images for which no crop is set


@dataclass(frozen=True)
class Strengths:
    """Strengths of the changes that an augmentation makes.

    `rotation` and `shear` in degrees either way, `translation` as a share of the side, `scale` as
    a share of the size either way, `flip` and `erasing` as probabilities, `mixup` as the alpha of
    its Beta(alpha, alpha).
    """

    rotation: float = 0.0
    translation: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    flip: float = 0.0
    erasing: float = 0.0
    mixup: float = 0.0


PRESETS: dict[str, Strengths] = {
    "none": Strengths(),
    "flip": Strengths(flip=0.5),
    "light": Strengths(rotation=8, translation=0.05, scale=0.05, flip=0.5),
    "standard": Strengths(rotation=12, translation=0.08, scale=0.1, shear=3, flip=0.5, erasing=0.25),
    "strong": Strengths(rotation=20, translation=0.12, scale=0.2, shear=8, flip=0.5, erasing=0.5, mixup=0.2),
}


def strengths(params: Mapping[str, Value]) -> Strengths:
    """Return the preset that `params` names, with the strengths that `params` sets individually in place of its own.

    Raises:
        UnknownName: there is no such preset.
    """
    preset = lookup("augmentation", str(params.get("augmentation", "none")), PRESETS)
    alone = {field.name: float(params[field.name]) for field in fields(Strengths) if field.name in params}
    return replace(preset, **alone)


class Augmentation:
    """Augmentation in two steps: `plan` draws for a whole epoch, `apply` changes one batch of it."""

    def __init__(self, chosen: Strengths, num_classes: int, crop: int = 0) -> None:
        self.strengths = chosen
        self.crop = crop
        self.num_classes = num_classes
        self.warps = any((chosen.rotation, chosen.translation, chosen.scale, chosen.shear))
        self.active = any(asdict(chosen).values()) or crop > 0

    def plan(self, count: int, generator: torch.Generator) -> Tensor:
        """Draw the changes of `count` images: (count, 13) on the CPU, (count, 0) if the augmentation changes nothing.

        Columns: 6 of the affine map, 4 of the erased box, 1 for mixup's share of the image itself, 2 of the
        crop's place, from 0 to 1.
        """
        if not self.active:
            return torch.zeros(count, 0)
        draws = torch.rand(count, DRAWS, generator=generator)
        maps, boxes = matrices(self.strengths, draws[:, :6]), erased_boxes(self.strengths, draws[:, 6:])
        shares = self._shares(count, generator)
        places = torch.rand(count, 2, generator=generator) if self.crop else torch.zeros(count, 2)
        return torch.cat((maps.view(-1, 6), boxes, shares, places), 1)

    def apply(self, images: Tensor, targets: Tensor, plan: Tensor) -> tuple[Tensor, Tensor]:
        """Change normalised images (n, c, size, size) by their plans; mixup makes the targets soft (n, classes).

        With a crop, images of that side are cut after they are warped. `images` may be written to.
        """
        if not self.active:
            return images, targets
        chosen = self.strengths
        if self.warps:
            images = warp(images, plan[:, :6].reshape(-1, 2, 3))
        elif chosen.flip:
            images = torch.where(plan[:, 0].view(-1, 1, 1, 1) < 0, images.flip(3), images)
        if self.crop:
            images = cropped(images, plan[:, 11:], self.crop)
        if chosen.erasing:
            images = erase(images, plan[:, 6:10])
        return self._mixed(images, targets, plan[:, 10]) if chosen.mixup else (images, targets)

    def _shares(self, count: int, generator: torch.Generator) -> Tensor:
        if not self.strengths.mixup:
            return torch.ones(count, 1)
        random = np.random.default_rng(int(torch.randint(2**31, (), generator=generator)))
        alpha = self.strengths.mixup
        return torch.from_numpy(random.beta(alpha, alpha, (count, 1)).astype(np.float32))

    def _mixed(self, images: Tensor, targets: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        soft = targets if targets.is_floating_point() else F.one_hot(targets, self.num_classes).float()
        return (
            torch.lerp(images.roll(1, 0), images, share.view(-1, 1, 1, 1)),
            torch.lerp(soft.roll(1, 0), soft, share.view(-1, 1)),
        )


def matrices(chosen: Strengths, draws: Tensor) -> Tensor:
    """Return the affine maps (n, 2, 3) from a result's coordinates to its source's, both from -1 to 1.

    `draws` (n, 6) are uniform from 0 to 1.
    """
    signed = draws[:, :5] * 2 - 1
    angle, shear = signed[:, 0] * math.radians(chosen.rotation), signed[:, 1] * math.radians(chosen.shear)
    zoom = torch.exp(signed[:, 2] * math.log1p(chosen.scale))
    side = torch.where(draws[:, 5] < chosen.flip, -1.0, 1.0)
    cos, sin, slant = angle.cos() * zoom, angle.sin() * zoom, shear.tan()
    shift = signed[:, 3:5] * (2 * chosen.translation)
    rows = (cos * side, cos * slant - sin, shift[:, 0], sin * side, sin * slant + cos, shift[:, 1])
    return torch.stack(rows, 1).view(-1, 2, 3)


@lru_cache(maxsize=4)
def _base(size: int, device: torch.device) -> Tensor:
    line = (torch.arange(size, device=device) * 2 + 1) / size - 1
    return torch.stack((line.repeat(size), line.repeat_interleave(size), torch.ones_like(line).repeat(size)))


def grid(theta: Tensor, size: int) -> Tensor:
    """Compute `F.affine_grid(theta, (n, c, size, size), align_corners=False)` as one matrix product."""
    product = theta.reshape(-1, 3) @ _base(size, theta.device)
    return product.view(-1, 2, size, size).permute(0, 2, 3, 1)


def warp(images: Tensor, theta: Tensor) -> Tensor:
    """Sample images through affine maps, bilinearly; pixels from outside the image are 0, the mean grey."""
    places = grid(theta, images.shape[-1])
    return F.grid_sample(images, places, mode="bilinear", padding_mode="zeros", align_corners=False)


def cropped(images: Tensor, places: Tensor, side: int) -> Tensor:
    """Cut a square of `side` pixels out of each image, at `places` (n, 2): down and across, from 0 to 1."""
    spare = images.shape[-1] - side + 1
    starts = (places * spare).long().clamp_max(spare - 1)
    down, across = (starts[:, axis, None] + torch.arange(side, device=images.device) for axis in (0, 1))
    image = torch.arange(len(images), device=images.device)[:, None, None]
    return images.permute(0, 2, 3, 1)[image, down[:, :, None], across[:, None, :]].permute(0, 3, 1, 2).contiguous()


def erased_boxes(chosen: Strengths, draws: Tensor) -> Tensor:
    """Return the boxes (n, 4) to erase, from `draws` (n, 5): centre down and across, half height and half width.

    All are shares of the side; an image that is not erased has a box of size 0. Aspect ratios are 1:3 to 3:1.
    """
    area = ERASED[0] + (ERASED[1] - ERASED[0]) * draws[:, 1]
    ratio = torch.exp((draws[:, 2] * 2 - 1) * math.log(3))
    half = torch.stack(((area * ratio).sqrt() / 2, (area / ratio).sqrt() / 2), 1)
    return torch.cat((draws[:, 3:5], half * (draws[:, :1] < chosen.erasing)), 1)


def erase(images: Tensor, boxes: Tensor) -> Tensor:
    """Set a box of each image to 0, the mean grey, in place."""
    line = (torch.arange(images.shape[-1], device=images.device) + 0.5) / images.shape[-1]
    spared = ((line - boxes[:, :2, None]).abs() >= boxes[:, 2:, None]).float()
    return images.mul_(torch.maximum(spared[:, 0, None, :, None], spared[:, 1, None, None, :]))


def previews(images: Images, seed: int = 0) -> dict[str, Images]:
    """Return images (uint8, n x channels x size x size) under every preset but `none`, by its name.

    As in training, pixels from outside the image and erased pixels are grey (here 128). Mixup is left out: it would
    show other images.
    """
    grey = torch.from_numpy(np.ascontiguousarray(images)).float() / 127.5 - 1
    targets = torch.zeros(len(images), dtype=torch.long)
    shown: dict[str, Images] = {}
    for name, chosen in PRESETS.items():
        augmentation = Augmentation(replace(chosen, mixup=0.0), num_classes=2)
        if augmentation.active:
            plan = augmentation.plan(len(images), torch.Generator().manual_seed(seed))
            changed, _ = augmentation.apply(grey.clone(), targets, plan)
            shown[name] = ((changed.clamp(-1, 1) + 1) * 127.5).round().byte().numpy()
    return shown


class TtaModel(nn.Module):
    """A model under test-time augmentation: passes the views of normalised images (n, channels, size, size) to it.

    Returns the log of the class shares (n, classes), averaged over the views after softmax; with one view
    the model's logits. `crop` is the side in pixels that the model was built for. Without one, corners
    are cut at seven eighths of the side and enlarged again.
    """

    def __init__(self, model: nn.Module, tta: str, crop: int | None) -> None:
        super().__init__()
        self.model = model
        self.crop = crop
        self.show = lookup("tta", tta, VIEWS)

    def forward(self, images: Tensor) -> Tensor:
        """Pass every view through the model in turn."""
        logits: list[Tensor] = [self.model(view) for view in self.show(images, self.crop)]
        if len(logits) == 1:
            return logits[0]
        shares = torch.stack([each.float().softmax(1) for each in logits]).mean(0)
        return shares.clamp_min(torch.finfo(shares.dtype).tiny).log()


def as_evaluated(model: nn.Module, params: Params, tta: str | None = None) -> nn.Module:
    """Return the model as a trial of `params` evaluates it: the model itself if it sees each image once, uncropped.

    `tta` replaces the test-time augmentation of `params`.

    Raises:
        UnknownName: there is no such augmentation.
    """
    chosen = str(params.get("tta", "none")) if tta is None else tta
    crop = int(params["crop"]) if "crop" in params else None
    return model if chosen == "none" and crop is None else TtaModel(model, chosen, crop).eval()


def _one(images: Tensor, crop: int | None) -> Iterator[Tensor]:
    """Yield the centre."""
    yield images if crop is None else _cut(images, crop, 0.5, 0.5)


def _mirrored(images: Tensor, crop: int | None) -> Iterator[Tensor]:
    """Yield the centre and its mirror image."""
    for view in _one(images, crop):
        yield from (view, view.flip(3))


def _five(images: Tensor, crop: int | None) -> Iterator[Tensor]:
    """Yield the four corners and the centre."""
    size = images.shape[-1]
    side = crop or round(size * CUT)
    for down, across in ((0, 0), (0, 1), (1, 0), (1, 1), (0.5, 0.5)):
        view = _cut(images, side, down, across)
        yield view if crop else F.interpolate(view, size=(size, size), mode="bilinear", align_corners=False)


def _ten(images: Tensor, crop: int | None) -> Iterator[Tensor]:
    """Yield the four corners and the centre, each with its mirror image."""
    for view in _five(images, crop):
        yield from (view, view.flip(3))


def _cut(images: Tensor, side: int, down: float, across: float) -> Tensor:
    spare = images.shape[-1] - side
    top, left = round(spare * down), round(spare * across)
    return images[..., top : top + side, left : left + side]


VIEWS: dict[str, Callable[[Tensor, int | None], Iterator[Tensor]]] = {
    "none": _one,
    "flip": _mirrored,
    "five_crop": _five,
    "ten_crop": _ten,
}
