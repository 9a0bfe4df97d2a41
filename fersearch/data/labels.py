"""The vocabulary of emotions: one canonical word each, and the words that datasets use for them."""

import re
from collections.abc import Iterable, Mapping

from fersearch.errors import DataError, suggestion

EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
EXTENDED = ("amenability", "concentration", "confusion", "aversion", "engaged", "ahegao")
NOT_CLASSES = ("unknown", "not_a_face")
FERPLUS = (*EMOTIONS, *NOT_CLASSES)
CANONICAL = (*EMOTIONS, *EXTENDED, *NOT_CLASSES)
FER2013 = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")

_WORDS = {
    "neutral": "neutrality ne none-expression",
    "happiness": "happy joy ha smile happinnes",
    "surprise": "surprised su",
    "sadness": "sad sa sorrow",
    "anger": "angry an",
    "disgust": "disgusted di",
    "fear": "fearful afraid scared af fe",
    "contempt": "",
    "amenability": "agree agreement",
    "concentration": "think thinking focused",
    "confusion": "confused",
    "aversion": "",
    "engaged": "engagement",
    "ahegao": "",
    "unknown": "uncertain",
    "not_a_face": "nf notaface no-face nonface",
}


def plain(text: str) -> str:
    """A label without case, blanks, underscores and hyphens, as labels are compared."""
    return re.sub(r"[\s_-]+", "", text).lower()


ALIASES = {plain(word): name for name, words in _WORDS.items() for word in (name, *words.split())}


def known(text: str) -> str | None:
    """The canonical word for a dataset's label; None if there is none."""
    return ALIASES.get(plain(text))


def canonical(text: str, where: str = "") -> str:
    """The canonical word for a dataset's label (`Happy` is `happiness`).

    Raises:
        DataError: no emotion is called so; the message starts with `where`, the hint names the nearest word.
    """
    name = known(text)
    if name is None:
        place = f"{where}: " if where else ""
        raise DataError(f"{place}unknown label '{text}'", suggestion(plain(text), ALIASES))
    return name


def coded(text: str, codes: Mapping[str, str], where: str) -> str:
    """The canonical word for a dataset's code (`4` is `happiness` in RAF-DB).

    Raises:
        DataError: there is no such code; the message starts with `where`, the hint lists the codes.
    """
    if text.strip() not in codes:
        known_codes = ", ".join(f"{code} {name}" for code, name in codes.items())
        raise DataError(f"{where}: unknown emotion code '{text.strip()}'", f"known: {known_codes}")
    return codes[text.strip()]


def in_order(words: Iterable[str]) -> tuple[str, ...]:
    """Each word once: canonical ones in their order, then the others sorted."""
    found = set(words)
    return (*(word for word in CANONICAL if word in found), *sorted(found.difference(CANONICAL)))


def lookalikes(class_names: tuple[str, ...]) -> list[str]:
    """Warnings about class names that are two words for one emotion."""
    seen: dict[str, str] = {}
    findings = []
    for name in class_names:
        word = known(name) or plain(name)
        if word in seen:
            findings.append(f"classes '{seen[word]}' and '{name}' look like one class ({word}); they are kept apart")
        seen.setdefault(word, name)
    return findings
