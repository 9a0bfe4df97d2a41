"""Schemes that group the vocabulary of emotions into classes, for datasets that are merged.

A scheme defines the trained classes and the labels of each of them; a label that it does not name is dropped.
`intersection` and `union` depend on the sources' labels; the others are fixed, so that their class lists can be
compared between studies. Labels derived by a scheme are cached: whoever changes one raises the version of the datasets
that use it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import reduce

from fersearch.data.labels import EMOTIONS, NOT_CLASSES, in_order
from fersearch.errors import lookup

_BASIC = tuple(class_name for class_name in EMOTIONS if class_name not in ("neutral", "contempt"))
DERIVED = ("intersection", "union")


@dataclass(frozen=True)
class Scheme:
    """The labels of each class, the classes in order."""

    labels_of: Mapping[str, tuple[str, ...]]

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes in the order of a model's outputs."""
        return tuple(self.labels_of)

    def class_of(self, label: str) -> str | None:
        """Return the class that a label belongs to; None for a label that is dropped."""
        return next((name for name, labels in self.labels_of.items() if label in labels), None)


def _plain(labels: Collection[str]) -> Scheme:
    return Scheme({label: (label,) for label in labels})


SCHEMES = {
    "basic6": _plain(_BASIC),
    "basic7": _plain(("neutral", *_BASIC)),
    "ferplus8": _plain(EMOTIONS),
    "ferplus10": _plain((*EMOTIONS, *NOT_CLASSES)),
    # The merged four-class study: engaged is its Agree and Think.
    "s003_4": Scheme(
        {
            "anger": ("anger",),
            "engaged": ("amenability", "concentration", "engaged"),
            "happiness": ("happiness",),
            "neutral": ("neutral",),
        }
    ),
    # Every label of the merged four-class study's sources: RAF-DB's seven and FED-2023's four.
    "s003_11": _plain(("neutral", *_BASIC, "amenability", "concentration", "confusion", "aversion")),
    "mehendale5": Scheme(
        {
            "anger_disgust": ("anger", "disgust"),
            "fear_surprise": ("fear", "surprise"),
            "happiness": ("happiness",),
            "sadness": ("sadness",),
            "neutral": ("neutral",),
        }
    ),
    # Surprise may be of either sign; amenability, engagement, concentration and confusion name a state of mind and
    # no valence: all are dropped.
    "valence3": Scheme(
        {
            "negative": ("sadness", "anger", "disgust", "fear", "contempt", "aversion"),
            "neutral": ("neutral",),
            "positive": ("happiness",),
        }
    ),
}
NAMES = (*SCHEMES, *DERIVED)


def resolve(name: str, labels: Mapping[str, Collection[str]]) -> Scheme:
    """Return the scheme of that name, given the labels of which each source has images.

    `intersection` keeps the labels that every source has, `union` all labels that any source has; both leave out
    unknown and not_a_face, which are not expressions.

    Raises:
        UnknownName: there is no such scheme.
    """
    lookup("scheme", name, dict.fromkeys(NAMES))
    if name in SCHEMES:
        return SCHEMES[name]
    label_sets = [set(source_labels) for source_labels in labels.values()]
    selected = reduce(set.intersection if name == "intersection" else set.union, label_sets) if label_sets else set()
    return _plain(in_order(selected.difference(NOT_CLASSES)))
