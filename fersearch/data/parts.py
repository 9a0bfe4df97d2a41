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
NAME_COMPONENTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def part_of(text: str) -> int | None:
    """Return 0, 1 or 2 for a name of the train, valid or test part, in any case and decoration; else None."""
    name = _bare(text)
    return None if name is None else NAMES[name]


def parts_of(names: Iterable[str]) -> dict[str, int]:
    """Return the part that each name means, without the names that mean none.

    `eval` is valid; beside another name of valid and none of test (train, dev and eval) it is test.
    """
    parts = {name: part for name in names if (part := part_of(name)) is not None}
    evaluation = [name for name in parts if _bare(name) in EVALUATION]
    others = {part for name, part in parts.items() if name not in evaluation}
    if 1 in others and 2 not in others:
        parts |= dict.fromkeys(evaluation, 2)
    return parts


def looks_like_part(text: str) -> bool:
    """Return whether a name that may be a class is more likely a part of a split: `train2`, `PublicTest`, `fold_1`."""
    components = {component.lower() for component in NAME_COMPONENTS.findall(text)}
    return part_of(text) is not None or bool(components & NAMES.keys()) or bool(components & set(FOLDS))


def is_wrapper(text: str) -> bool:
    """Return whether a folder's name has no information on its content: `images`, `data`."""
    return text.strip().lower() in WRAPPERS


def _bare(text: str) -> str | None:
    """Return the name of a part without case, separators and decoration; None if it is not such a name."""
    name = re.sub(r"[\W_]+", "", text.casefold())
    while name not in NAMES:
        shorter = DECORATION.sub("", name, count=1)
        if shorter == name:
            return None
        name = shorter
    return name
