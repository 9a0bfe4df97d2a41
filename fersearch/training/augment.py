"""Batched augmentation on the trial's device, each image with draws of its own.

Rotation, scale, shear, translation and flip are one affine map, whose sampling grid is one matrix
product; erasing is a mask (Zhong et al. 2017, arXiv:1708.04896); mixup blends neighbours of a
shuffled batch (Zhang et al. 2018, arXiv:1710.09412). Faces are never turned upside down.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fersearch.errors import lookup
from fersearch.space import Value

COLUMNS = 12  # draws an image: 5 for the affine map, 1 flip, 5 erasing, 1 mixup
ERASED = (0.02, 0.2)  # share of the image's area that is erased


@dataclass(frozen=True)
class Strengths:
    """How far an image may be changed.

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
    """The preset that `params` names, with each strength that is set alone in its place.

    Raises:
        UnknownName: there is no such preset.
    """
    preset = lookup("augmentation", str(params.get("augmentation", "none")), PRESETS)
    alone = {field.name: float(params[field.name]) for field in fields(Strengths) if field.name in params}
    return replace(preset, **alone)


class Augmentation:
    """Strengths as two steps: `draw` for a whole epoch, `apply` to a batch of it."""

    def __init__(self, chosen: Strengths, num_classes: int) -> None:
        self.strengths = chosen
        self.num_classes = num_classes
        self.warps = any((chosen.rotation, chosen.translation, chosen.scale, chosen.shear))
        self.active = any(asdict(chosen).values())

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Every random number that `count` images need: (count, COLUMNS), none if nothing is changed."""
        if not self.active:
            return torch.zeros(count, 0)
        draws = torch.rand(count, COLUMNS, generator=generator)
        if self.strengths.mixup:
            alpha = self.strengths.mixup
            seed = int(torch.randint(2**31, (), generator=generator))
            draws[:, -1] = torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, count))
        return draws

    def apply(self, images: Tensor, targets: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
        """Change normalised images (n, c, size, size) by their draws; mixup makes the targets soft (n, classes)."""
        if not self.active:
            return images, targets
        chosen = self.strengths
        if self.warps:
            images = warp(images, matrices(chosen, draws))
        elif chosen.flip:
            images = torch.where(draws[:, 5].view(-1, 1, 1, 1) < chosen.flip, images.flip(3), images)
        if chosen.erasing:
            images = images.masked_fill_(erased(images.shape[-1], chosen.erasing, draws), 0.0)
        return self._mixed(images, targets, draws[:, -1]) if chosen.mixup else (images, targets)

    def _mixed(self, images: Tensor, targets: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        soft = targets if targets.is_floating_point() else F.one_hot(targets, self.num_classes).float()
        return (
            torch.lerp(images.roll(1, 0), images, share.view(-1, 1, 1, 1)),
            torch.lerp(soft.roll(1, 0), soft, share.view(-1, 1)),
        )


def matrices(chosen: Strengths, draws: Tensor) -> Tensor:
    """The affine maps (n, 2, 3) from a result's coordinates to its source's, both from -1 to 1."""
    signed = draws[:, :5] * 2 - 1
    angle, shear = signed[:, 0] * math.radians(chosen.rotation), signed[:, 1] * math.radians(chosen.shear)
    zoom = torch.exp(signed[:, 2] * math.log1p(chosen.scale))
    side = torch.where(draws[:, 5] < chosen.flip, -1.0, 1.0)
    cos, sin, slant = angle.cos() * zoom, angle.sin() * zoom, shear.tan()
    shift = signed[:, 3:5] * (2 * chosen.translation)
    rows = (cos * side, cos * slant - sin, shift[:, 0], sin * side, sin * slant + cos, shift[:, 1])
    return torch.stack(rows, 1).view(-1, 2, 3)


def grid(theta: Tensor, size: int) -> Tensor:
    """`F.affine_grid(theta, (n, c, size, size), align_corners=False)` as one matrix product."""
    line = (torch.arange(size, device=theta.device) * 2 + 1) / size - 1
    base = torch.stack((line.repeat(size), line.repeat_interleave(size), torch.ones_like(line).repeat(size)))
    return (theta.reshape(-1, 3) @ base).view(-1, 2, size, size).permute(0, 2, 3, 1)


def warp(images: Tensor, theta: Tensor) -> Tensor:
    """Sample images through affine maps, bilinearly; what comes from outside is 0, the mean grey."""
    places = grid(theta, images.shape[-1])
    return F.grid_sample(images, places, mode="bilinear", padding_mode="zeros", align_corners=False)


def erased(size: int, probability: float, draws: Tensor) -> Tensor:
    """Where a rectangle of each chosen image goes: bool (n, 1, size, size)."""
    area = ERASED[0] + (ERASED[1] - ERASED[0]) * draws[:, 7]
    ratio = torch.exp((draws[:, 8] * 2 - 1) * math.log(3))
    chosen = draws[:, 6] < probability
    half = (area * ratio).sqrt() / 2 * chosen, (area / ratio).sqrt() / 2 * chosen
    line = (torch.arange(size, device=draws.device) + 0.5) / size
    hit = [(line - draws[:, 9 + axis, None]).abs() < half[axis][:, None] for axis in range(2)]
    return (hit[0][:, None, :, None]) & (hit[1][:, None, None, :])
