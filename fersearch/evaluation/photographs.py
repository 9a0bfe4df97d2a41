"""Turns photographs into inputs of a checkpoint as its training images were: by the steps on its card."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch.checkpoint_folder import card_of, is_ensemble
from fersearch.data.options import decoding
from fersearch.data.step_lists import Steps, cut_of, declared, default_of, describe, standard, with_preprocess
from fersearch.errors import FersearchError, UsageError
from fersearch.registry import Registry
from fersearch.training.card import read_card

if TYPE_CHECKING:
    import numpy as np

    from fersearch.data.detect import FaceDetector

    Pixels = np.ndarray[Any, np.dtype[np.uint8]]


Box = tuple[int, int, int, int]
BY_SIZE = "only size and preprocess are applied to images"


@dataclass(frozen=True)
class TrainedSteps:
    """The steps by which the training images of a checkpoint became inputs.

    They are `derived` if they are not on the card; `note` explains where they are not known.
    """

    steps: Steps
    note: str = ""
    derived: bool = False

    @property
    def differ(self) -> bool:
        """Whether the training images came from several sources with steps of their own."""
        return any(step["step"] == "by_source" for step in self.steps)

    @classmethod
    def of(cls, checkpoint: Path, registry: Registry) -> "TrainedSteps":
        """Return the steps on the card; for an older card, the steps of its dataset under the recorded options.

        Raises:
            FersearchError: the card's steps are invalid.
        """
        card = _card(checkpoint)
        steps = cls(card["steps"]) if card.get("steps") else cls._derived(card, registry)
        steps._check(card, checkpoint)
        return steps

    @classmethod
    def of_card(cls, card: Mapping[str, Any], checkpoint: Path) -> "TrainedSteps":
        """Return the steps on a card that has them; FersearchError if they are invalid."""
        steps = cls(card["steps"])
        steps._check(card, checkpoint)
        return steps

    @classmethod
    def _derived(cls, card: Mapping[str, Any], registry: Registry) -> "TrainedSteps":
        name, options = card["dataset"]["name"], card["dataset"]["options"]
        shape = {"image_size": int(card["image_size"]), "channels": int(card["channels"])}
        dataset = registry.datasets.get(name)
        if dataset is not None:
            try:
                chosen = decoding(dataset, {**options, **shape})
            except UsageError:
                chosen = None
            steps = None if chosen is None else with_preprocess(declared(dataset, chosen), chosen)
            if steps is not None:
                return cls(steps, derived=True)
        reason = f"dataset {name} does not specify how its images are cropped"
        if card.get("format", 1) < 2:
            reason = "the checkpoint was made before cuts were recorded"
        return cls(with_preprocess(standard(**shape), options) or [], f"{reason}: {BY_SIZE}", derived=True)

    def _check(self, card: Mapping[str, Any], checkpoint: Path) -> None:
        from fersearch.data.steps import Transform

        try:
            Transform.of(self.steps)
        except FersearchError as error:
            raise FersearchError(
                f"{checkpoint} is not a checkpoint of fersearch: {error.message}", error.hint
            ) from None
        plain = default_of(self.steps)
        shapes = {step[key] for step in plain for key in ("size", "channels") if key in step}
        if shapes != {card["image_size"], card["channels"]}:
            raise FersearchError(
                f"{checkpoint} is not a checkpoint of fersearch: its steps ({describe(plain)}) do not give images of "
                f"{card['image_size']}x{card['image_size']} with {card['channels']} channels",
                "pull it again",
            )


class Photographs:
    """Turns photographs into inputs, and collects notices about it.

    Where the steps cut to what a photograph lacks (box or landmarks), the largest face is detected and used instead.
    With `faces` every detected face is an input; with False none is detected. `detector` is by default the one that
    comes with fersearch.
    """

    def __init__(
        self, trained: TrainedSteps, faces: bool | None, detector: "FaceDetector | None" = None, longest: int = 0
    ) -> None:
        from fersearch.data.depth import OwnDepth
        from fersearch.data.steps import Transform

        self.trained, self.faces, self.detector, self.longest = trained, faces, detector, longest
        self.transform = Transform.of(trained.steps)
        self.depth = OwnDepth(self.transform.bits)
        self.seen, self.whole = 0, 0

    def inputs(self, path: Path) -> "list[tuple[Pixels, Box | None]]":
        """Return the image file, or the faces in it from left to right, as uint8 (channels, size, size), each with
        its box.

        Raises:
            DataError: the image cannot be read.
        """
        from fersearch.data.images import upright

        return self.parts(upright(path, self.depth))

    def parts(self, image: Any) -> "list[tuple[Pixels, Box | None]]":
        """Return an image (of PIL, upright), or the faces in it, as `inputs` does of a file."""
        from fersearch.data.steps import annotation_of

        boxes = self._boxes(image)
        self.seen, self.whole = self.seen + 1, self.whole + (not boxes)
        if not boxes:
            return [(self.transform(image), None)]
        if self.transform.needs:
            return [(self.transform(image, annotation_of(box)), box) for box in boxes]
        parts = [image.crop((left, top, left + width, top + height)) for left, top, width, height in boxes]
        return [(self.transform(part), box) for part, box in zip(parts, boxes, strict=True)]

    def _boxes(self, image: Any) -> list[Box]:
        from fersearch.data.detect import LONGEST, PAD, find_faces

        if self.faces is False or (self.faces is None and not self.transform.needs):
            return []
        pad = 1.0 if self.transform.needs else PAD  # the steps have a margin of their own
        boxes = find_faces(image, self.detector, self.longest or LONGEST, pad)
        return boxes if self.faces or not boxes else [max(boxes, key=lambda box: box[2] * box[3])]

    def notes(self) -> list[str]:
        """Return the notices, once all photographs are done."""
        return [note for note in (self.trained.note, self._sources(), self._cut(), self._bits(), self._whole()) if note]

    def _sources(self) -> str:
        """Return the notice on merged data whose parts were cut in different ways, or an empty string."""
        merged = next((step for step in self.trained.steps if step["step"] == "by_source"), None)
        ways = {name: describe(steps) for name, steps in merged["sources"].items()} if merged else {}
        if merged is None or len(set(ways.values())) < 2:
            return ""
        each = "; ".join(f"{name}: {way}" for name, way in ways.items())
        return f"the parts of the training data were cut in different ways ({each}): images as {merged['default']}'s"

    def _cut(self) -> str:
        """Return the notice on a cut to what a photograph lacks, or an empty string."""
        if not self.transform.needs or self.faces or not self.seen:
            return ""
        cut = cut_of(default_of(self.trained.steps))
        lacking = f"the training images were cut to the face ({cut}), whose position is not known in a plain image"
        if self.faces is False:
            return f"{lacking}: whole images are used, as --no-faces asks"
        rest = f", but for {self.whole:,} of {self.seen:,} in which none was found" if self.whole else ""
        return f"{lacking}: faces were found and cut with the same margin{rest}; --no-faces uses whole images"

    def _whole(self) -> str:
        """Return the notice on images in which no face was found, or an empty string."""
        if not self.faces or not self.whole:
            return ""
        return f"no face was found in {self.whole:,} of {self.seen:,} images: they are classified whole"

    def _bits(self) -> str:
        """Return the notice on 16-bit images that are scaled differently from the training images, or an empty
        string."""
        counts = Counter(self.depth.others)
        each = ", ".join(f"{n:,} by {bits}" for bits, n in sorted(counts.items()))
        return f"16-bit images are scaled by the bits that they use: {each}" if each else ""


def _card(checkpoint: Path) -> dict[str, Any]:
    """Return the card of a checkpoint, or of the first member of an ensemble: all of them saw the same images."""
    if not is_ensemble(checkpoint):
        return card_of(checkpoint)
    first = card_of(checkpoint)["members"][0]["file"]
    return read_card(Path(checkpoint) / Path(first).name)
