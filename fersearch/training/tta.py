"""How images are shown to a model when it is judged: cropped, and more than once (test-time augmentation).

Five- and ten-crop: Krizhevsky et al. 2012; the crops of 40 of 48 pixels: Khaireddin and Chen 2021,
arXiv:2105.03588.
"""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fersearch.errors import lookup
from fersearch.space import Params

CUT = 7 / 8  # share of the side that is kept of images for which no crop is set


class Judged(nn.Module):
    """A model that sees normalised images (n, channels, size, size) as `tta` shows them.

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
        """Show every view in turn."""
        logits: list[Tensor] = [self.model(view) for view in self.show(images, self.crop)]
        if len(logits) == 1:
            return logits[0]
        shares = torch.stack([each.float().softmax(1) for each in logits]).mean(0)
        return shares.clamp_min(torch.finfo(shares.dtype).tiny).log()


def as_judged(model: nn.Module, params: Params, tta: str | None = None) -> nn.Module:
    """The model as a trial of `params` judges it: itself if images are shown whole and once.

    `tta` takes the place of the trial's own.

    Raises:
        UnknownName: there is no such augmentation.
    """
    chosen = str(params.get("tta", "none")) if tta is None else tta
    crop = int(params["crop"]) if "crop" in params else None
    return model if chosen == "none" and crop is None else Judged(model, chosen, crop).eval()


def _one(images: Tensor, crop: int | None) -> Iterator[Tensor]:
    """The centre."""
    yield images if crop is None else _cut(images, crop, 0.5, 0.5)


def _mirrored(images: Tensor, crop: int | None) -> Iterator[Tensor]:
    """The centre and its mirror image."""
    for view in _one(images, crop):
        yield from (view, view.flip(3))


def _five(images: Tensor, crop: int | None) -> Iterator[Tensor]:
    """The four corners and the centre."""
    size = images.shape[-1]
    side = crop or round(size * CUT)
    for down, across in ((0, 0), (0, 1), (1, 0), (1, 1), (0.5, 0.5)):
        view = _cut(images, side, down, across)
        yield view if crop else F.interpolate(view, size=(size, size), mode="bilinear", align_corners=False)


def _ten(images: Tensor, crop: int | None) -> Iterator[Tensor]:
    """The four corners and the centre, each with its mirror image."""
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
