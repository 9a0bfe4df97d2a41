"""The names that people give to the parts of a split: `train_set`, `Training`, `val`, `dev`, `PublicTest` ..."""

import re
from collections.abc import Iterable

NAMES = {
    **dict.fromkeys(("train", "training", "trn"), 0),
    **dict.fromkeys(("valid", "validation", "validate", "val", "dev", "devel", "development", "publictest"), 1),
    **dict.fromkeys(("eval", "evaluation"), 1),
    **dict.fromkeys(("test", "testing", "tst", "privatetest"), 2),
}
EVALUATION = ("eval", "evaluation")
FOLDS = ("fold", "split", "partition", "subset")
DECORATION = re.compile(
    r"^(?:data|dataset|images?|imgs?|faces?|pictures|photos|my|the)|"
    r"(?:sets?|data|dataset|images?|imgs?|faces?|pictures|photos|split|part|folder|samples|subset)$"
)
WRAPPERS = ("images", "image", "imgs", "img", "data", "dataset", "faces", "pictures", "photos")
WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def part_of(text: str) -> int | None:
    """0, 1 or 2 for a name of the train, valid or test part, whatever its case and decoration; None for another."""
    name = _bare(text)
    return None if name is None else NAMES[name]


def parts_of(names: Iterable[str]) -> dict[str, int]:
    """Return the part that each of some names stands for, names of no part left out.

    `eval` is valid, but test where another name of valid stands beside it and none of test: train, dev and eval.
    """
    found = {name: part for name in names if (part := part_of(name)) is not None}
    evaluation = [name for name in found if _bare(name) in EVALUATION]
    others = {part for name, part in found.items() if name not in evaluation}
    if 1 in others and 2 not in others:
        found |= dict.fromkeys(evaluation, 2)
    return found


def looks_like_part(text: str) -> bool:
    """Return whether a name that may be a class is more likely a part of a split: `train2`, `PublicTest`, `fold_1`."""
    words = {word.lower() for word in WORDS.findall(text)}
    return part_of(text) is not None or bool(words & NAMES.keys()) or bool(words & set(FOLDS))


def is_wrapper(text: str) -> bool:
    """Return whether a folder's name says nothing of what is in it: `images`, `data`."""
    return text.strip().lower() in WRAPPERS


def _bare(text: str) -> str | None:
    """Return the name of a part without case, separators and decoration; None if it is no such name."""
    name = re.sub(r"[\W_]+", "", text.casefold())
    while name not in NAMES:
        shorter = DECORATION.sub("", name, count=1)
        if shorter == name:
            return None
        name = shorter
    return name
