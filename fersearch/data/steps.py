"""How a picture becomes an input: a short list of steps, declared by a dataset, kept in a checkpoint's card and applied
by the same code when images are prepared, evaluated or predicted.

A step is plain data, as {"step": "fit", "size": 48}. In the order of a list:

    depth      bits                 how many bits the dataset's 16-bit images use
    box        margin               the dataset's box of the face, its sides times `margin`
    landmarks  margin               the square around the dataset's landmarks, its side times `margin`
    squeeze    size                 the whole picture, without its proportions
    pad        size                 the whole picture, black where it is not a square
    colour     channels             1 grey, 3 RGB
    fit        size                 the middle square
    preprocess name                 as in `fersearch.data.preprocess`
    by_source  default, sources     a list for each source of merged data

Box and landmarks are what a dataset knows of a picture (`Annotation`) and a plain photograph lacks; where a picture
has none, the step leaves it whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from fersearch.data.detect import find_faces
from fersearch.data.preprocess import applied
from fersearch.data.step_lists import FACE_MARGIN, Steps, default_of
from fersearch.errors import DataError, FersearchError

Pixels = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels
Point = tuple[float, float]  # x, y in pixels
Side = Annotated[int, Field(ge=1, le=16_384)]
Margin = Annotated[float, Field(gt=0, le=16)]


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a dataset knows of one picture beside its label; `source` is its dataset where several are merged."""

    box: Box | None = None
    landmarks: Sequence[Point] | None = None
    source: str = ""


NOTHING = Annotation()


class _Outside(Exception):
    """A box is outside its image."""


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def apply(self, image: Image.Image, known: Annotation) -> Image.Image:  # noqa: ARG002
        """Return the image after this step."""
        return self._shaped(image)

    def _shaped(self, image: Image.Image) -> Image.Image:
        return image


class Depth(_Step):
    """Scales 16-bit values to 8 bits when the file is read, so that there is nothing left to do."""

    step: Literal["depth"]
    bits: Annotated[int, Field(ge=8, le=16)]


class CutBox(_Step):
    """Cuts the box out, as far as it reaches into the picture."""

    step: Literal["box"]
    margin: Margin = 1.0

    def apply(self, image: Image.Image, known: Annotation) -> Image.Image:
        """Return the face, or the whole picture where its box is not known."""
        if known.box is None:
            return image
        grown = _grown(known.box, self.margin)
        left, top = max(grown[0], 0), max(grown[1], 0)
        right, bottom = min(grown[2], image.width), min(grown[3], image.height)
        if left >= right or top >= bottom:
            raise _Outside
        return image.crop((left, top, right, bottom))


class CutLandmarks(_Step):
    """Cuts the square around the landmarks, moved into the picture."""

    step: Literal["landmarks"]
    margin: Margin = FACE_MARGIN

    def apply(self, image: Image.Image, known: Annotation) -> Image.Image:
        """Return the face, or the whole picture where its landmarks are not known."""
        if not known.landmarks:
            return image
        xs, ys = [x for x, _ in known.landmarks], [y for _, y in known.landmarks]
        extent = max(max(xs) - min(xs), max(ys) - min(ys)) * self.margin
        side = min(max(round(extent), 1), *image.size)
        left = min(max(round((min(xs) + max(xs)) / 2 - side / 2), 0), image.width - side)
        top = min(max(round((min(ys) + max(ys)) / 2 - side / 2), 0), image.height - side)
        return image.crop((left, top, left + side, top + side))


class Squeeze(_Step):
    """Resizes the whole picture to a square: nothing is lost but its proportions."""

    step: Literal["squeeze"]
    size: Side

    def _shaped(self, image: Image.Image) -> Image.Image:
        return image.resize((self.size, self.size), Image.Resampling.BILINEAR)


class Pad(_Step):
    """Resizes the whole picture in its proportions and lays it on a black square."""

    step: Literal["pad"]
    size: Side

    def _shaped(self, image: Image.Image) -> Image.Image:
        return ImageOps.pad(image, (self.size, self.size), Image.Resampling.BILINEAR)


class Colour(_Step):
    """Makes the picture grey or RGB."""

    step: Literal["colour"]
    channels: Literal[1, 3]

    def _shaped(self, image: Image.Image) -> Image.Image:
        mode = "L" if self.channels == 1 else "RGB"
        return image if image.mode == mode else image.convert(mode)


class Fit(_Step):
    """Crops the middle square and resizes it."""

    step: Literal["fit"]
    size: Side

    def _shaped(self, image: Image.Image) -> Image.Image:
        side = (self.size, self.size)
        return image if image.size == side else ImageOps.fit(image, side, Image.Resampling.BILINEAR)


class Preprocess(_Step):
    """Changes the pixels when all else is done."""

    step: Literal["preprocess"]
    name: Literal["none", "equalize", "illumination"]


class BySource(_Step):
    """Does to a picture of merged data what its source does; `default` is for one from elsewhere."""

    step: Literal["by_source"]
    default: str
    sources: Annotated[dict[str, Steps], Field(min_length=1, max_length=1000)]


Step = Annotated[
    Depth | CutBox | CutLandmarks | Squeeze | Pad | Colour | Fit | Preprocess | BySource, Field(discriminator="step")
]
_LIST: TypeAdapter[list[Step]] = TypeAdapter(Annotated[list[Step], Field(max_length=16)])


@dataclass(frozen=True)
class Transform:
    """A list of steps, ready to apply; with `find` to the largest face that is found where there is no annotation."""

    steps: tuple[_Step, ...]
    find: bool = False
    by_source: Mapping[str, "Transform"] = field(default_factory=dict)
    preprocess: str = "none"

    @classmethod
    def of(cls, steps: Sequence[Mapping[str, Any]], find: bool = False) -> "Transform":
        """Read a list of steps.

        Raises:
            FersearchError: a step is unknown, or lacks what it needs.
        """
        try:
            parsed = _LIST.validate_python([dict(step) if isinstance(step, Mapping) else step for step in steps])
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise FersearchError(f"steps.{place}: {first['msg']}", "known steps: see fersearch/data/steps.py") from None
        names = [step.name for step in parsed if isinstance(step, Preprocess)]
        merged = next((step for step in parsed if isinstance(step, BySource)), None)
        sources = {name: cls.of(each, find) for name, each in merged.sources.items()} if merged else {}
        if merged:
            sources[""] = cls.of(default_of([merged.model_dump()]), find)
        return cls(tuple(parsed), find, sources, names[0] if names else "none")

    @property
    def needs(self) -> bool:
        """Whether a cut needs what a plain photograph lacks."""
        default = self.by_source.get("")
        return default.needs if default else any(isinstance(step, CutBox | CutLandmarks) for step in self.steps)

    @property
    def bits(self) -> int | None:
        """How many bits the 16-bit images of the dataset use; None where it has none."""
        default = self.by_source.get("")
        return default.bits if default else next((step.bits for step in self.steps if isinstance(step, Depth)), None)

    def __call__(self, image: Image.Image, known: Annotation | None = None, where: object = "") -> Pixels:
        """Return an image of 8 bits a channel as uint8 (channels, size, size).

        Raises:
            DataError: a box is outside the image, which `where` names.
        """
        if known is None and self.find and self.needs:
            known = largest_face(image)
        known = known or NOTHING
        if self.by_source:
            pixels = self.by_source.get(known.source, self.by_source[""])(image, known, where)
        else:
            pixels = pixels_of(self._image(image, known, where))
        return pixels if self.preprocess == "none" else applied(pixels, {"preprocess": self.preprocess})

    def _image(self, image: Image.Image, known: Annotation, where: object) -> Image.Image:
        try:
            for step in self.steps:
                image = step.apply(image, known)
        except _Outside:
            raise DataError(
                f"box {known.box} lies outside image {where}, which is {image.width}x{image.height}",
                "boxes are left, top, right, bottom in pixels; restore the list that holds it",
            ) from None
        return image


def pixels_of(image: Image.Image) -> Pixels:
    """Return a grey or RGB image as uint8 (1 or 3, height, width)."""
    pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def annotation_of(face: tuple[int, int, int, int]) -> Annotation:
    """Return a found face (left, top, width, height) as a dataset would know it; its corners stand for landmarks."""
    left, top, right, bottom = face[0], face[1], face[0] + face[2], face[1] + face[3]
    return Annotation((left, top, right, bottom), ((left, top), (right, bottom)))


def largest_face(image: Image.Image) -> Annotation | None:
    """Return the largest face that is found; None if there is none."""
    faces = find_faces(image, pad=1.0)  # the steps have a margin of their own
    return annotation_of(max(faces, key=lambda face: face[2] * face[3])) if faces else None


def _grown(box: Box, margin: float) -> Box:
    """Return a box with its sides times `margin`, around the same middle."""
    if margin == 1:
        return box
    across, down = (box[2] - box[0]) * (margin - 1) / 2, (box[3] - box[1]) * (margin - 1) / 2
    return round(box[0] - across), round(box[1] - down), round(box[2] + across), round(box[3] + down)
