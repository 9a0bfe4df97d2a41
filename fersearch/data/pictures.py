"""Images on their way from files to inputs, with the steps that are applied to them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fersearch.data.depth import SharedDepth
from fersearch.data.step_lists import CUTS, Steps, shaped
from fersearch.data.steps import Annotation, Transform

Pixels = npt.NDArray[np.uint8]


class Pictures:
    """Images uint8 (channels, size, size) in order, decoded anew on each iteration.

    `decode` makes them by `transform`. `annotations` have what the dataset knows of each; `depth` the bits of 16-bit
    images, known once one was read.
    """

    def __init__(
        self,
        decode: Callable[["Pictures"], Iterator[Pixels]],
        steps: Steps,
        annotations: Sequence[Annotation | None] | None = None,
        depth: SharedDepth | None = None,
        find: bool = False,
    ) -> None:
        self._decode, self._steps, self._depth = decode, steps, depth
        self.annotations, self.find = annotations, find

    def __iter__(self) -> Iterator[Pixels]:
        return self._decode(self)

    @property
    def steps(self) -> Steps:
        """The steps that were applied; complete once all images were decoded."""
        if self._depth and self._depth.used:
            return [{"step": "depth", "bits": self._depth.bits}, *self._steps]
        return self._steps

    @cached_property
    def transform(self) -> Transform:
        """The steps, ready to apply."""
        return Transform.of(self._steps, self.find)

    @property
    def finds(self) -> bool:
        """Whether faces are detected because the dataset lacks what the steps cut to."""
        return self.find and self.transform.needs

    @property
    def annotated(self) -> bool:
        """Whether the dataset itself gives the positions of the faces."""
        return any(step["step"] in CUTS for step in self._steps)

    def shaped(self, trained: Steps) -> "Pictures":
        """Return the same pictures in the shape of others, by whose steps a model was trained.

        Where a cut needs annotations that the dataset lacks, faces are detected.
        """
        steps = shaped(self._steps, trained, self.annotated)
        return Pictures(self._decode, steps, self.annotations, self._depth, find=not self.annotated)


@dataclass(frozen=True)
class Joined:
    """The pictures of several sources in turn, each with its own steps.

    `parts` has what each source reads, `counts` how many images, `declared` the steps that its dataset declares;
    `source_finished` is called with a source after its last image.
    """

    parts: Mapping[str, Iterable[Pixels]]
    counts: Mapping[str, int]
    declared: Mapping[str, Steps | None]
    source_finished: Callable[[str], None]

    def __iter__(self) -> Iterator[Pixels]:
        for name, images in self.parts.items():
            yield from images
            self.source_finished(name)

    @property
    def steps(self) -> Steps | None:
        """One list where all sources agree, else one per source; None where a source declares none."""
        lists = {name: steps_of(images) or self.declared[name] for name, images in self.parts.items()}
        known = [steps for steps in lists.values() if steps is not None]
        if len(known) < len(lists):
            return None
        if all(steps == known[0] for steps in known):
            return known[0]
        return [{"step": "by_source", "default": max(lists, key=lambda name: self.counts[name]), "sources": lists}]

    @property
    def annotations(self) -> list[Annotation]:
        """What the sources know of each picture, and which of them it is from."""
        annotations = []
        for name, images in self.parts.items():
            known = getattr(images, "annotations", None) or [None] * self.counts[name]
            annotations += [replace(one or Annotation(), source=name) for one in known]
        return annotations

    @property
    def finds(self) -> bool:
        """Whether faces are detected in the pictures of a source."""
        return any(isinstance(images, Pictures | Joined) and images.finds for images in self.parts.values())

    def shaped(self, trained: Steps) -> "Joined":
        """Return the same pictures in the shape of others, those of a source that decodes its images itself left as
        they are.

        See `Pictures.shaped`.
        """
        parts = {name: reshaped(images, trained) for name, images in self.parts.items()}
        return Joined(parts, self.counts, self.declared, self.source_finished)


def steps_of(images: Iterable[Pixels]) -> Steps | None:
    """Return the steps by which images were made, complete once all were; None where they are not known."""
    return images.steps if isinstance(images, Pictures | Joined) else None


def reshaped(images: Iterable[Pixels], trained: Steps) -> Iterable[Pixels]:
    """Return images in the shape of others, by whose steps a model was trained; unchanged where their steps are not
    known."""
    return images.shaped(trained) if isinstance(images, Pictures | Joined) else images
