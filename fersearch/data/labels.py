"""The vocabulary of emotions: each has one canonical name, for which datasets use aliases."""

import difflib
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence

from fersearch.errors import DataError

EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
EXTENDED = ("amenability", "concentration", "confusion", "aversion", "engaged", "ahegao")
NOT_CLASSES = ("unknown", "not_a_face")
CANONICAL = (*EMOTIONS, *EXTENDED, *NOT_CLASSES)
_ALIASES = {
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


def spelling(text: str) -> str:
    """Return a label in the form in which spellings are compared: without case, Unicode form, invisible characters, and
    blanks around.

    A whole number written as a fraction (`3.0`, as tables with a missing value have it) is that number.
    """
    shown = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    name = " ".join(shown.split()).casefold()
    return number if (number := whole_number(name)) else name


def whole_number(text: str) -> str:
    """Return the digits of a whole number, `3` for `3`, `03` and `3.0`; empty for another text."""
    match = re.fullmatch(r"\+?0*(\d+)(?:\.0*)?", text.strip())
    return match[1] if match else ""


def plain(text: str) -> str:
    """Return a label without case, blanks, underscores and hyphens, as labels are compared with the vocabulary."""
    return re.sub(r"[\s_-]+", "", spelling(text))


ALIASES = {plain(alias): name for name, aliases in _ALIASES.items() for alias in (name, *aliases.split())}


def known(text: str) -> str | None:
    """Return the canonical name for a dataset's label; None if there is none."""
    return ALIASES.get(plain(text))


def canonical(
    text: str, where: str = "", classes: Sequence[str] = CANONICAL, codes: Mapping[str, str] | None = None
) -> str:
    """Return the canonical name for a dataset's label (`Happy` is `happiness`), which may also be one of its codes.

    Raises:
        DataError: it is neither a code nor a name of an emotion; the message starts with `where`, the hint names the
            nearest one, and the codes or the classes.
    """
    if codes and whole_number(text):
        return coded(text, codes, where)
    place = f"{where}: " if where else ""
    name = known(text)
    if name is None:
        raise DataError(f"{place}unknown label '{text}'", _nearest(text, classes, codes or {}))
    return name


def _nearest(text: str, classes: Sequence[str], codes: Mapping[str, str]) -> str:
    """Return `did you mean 'x'?` and the known labels: the codes if the dataset has some, else the classes."""
    offered = [alias for alias, name in ALIASES.items() if name in classes]
    close = difflib.get_close_matches(plain(text), offered, n=1, cutoff=0.5)
    guess = f"did you mean '{close[0]}'? " if close else ""
    return f"{guess}known: {_listed(codes) if codes else ', '.join(classes)}"


def _listed(codes: Mapping[str, str]) -> str:
    return ", ".join(f"{code} {name}" for code, name in codes.items())


def coded(text: str, codes: Mapping[str, str], where: str) -> str:
    """Return the canonical name for a dataset's code (`4` may be `happiness`).

    Raises:
        DataError: there is no such code; the message starts with `where`, the hint lists the codes.
    """
    code = whole_number(text) or text.strip()
    if code not in codes:
        raise DataError(f"{where}: unknown emotion code '{text.strip()}'", f"known: {_listed(codes)}")
    return codes[code]


def check_base(labels: Iterable[tuple[str, str]], codes: Mapping[str, str]) -> list[str]:
    """Refuse codes that run from 1 where a dataset's run from 0; doubt those that may.

    `labels` has the location and the text of each. Returns findings.

    Raises:
        DataError: no label is 0 and one is the number of codes; the message names its location.
    """
    beyond = str(len(codes))
    place_of = {number: where for where, text in labels if (number := whole_number(text))}
    if len(place_of) < 2 or "0" in place_of or "0" not in codes:
        return []
    if beyond in place_of:
        raise DataError(
            f"{place_of[beyond]}: emotion code {beyond} and no 0: these codes run from 1, the dataset's from 0",
            f"known: {_listed(codes)}; subtract 1 from each",
        )
    return [
        f"no label is code 0 ({codes['0']}): if these codes run from 1, every label is wrong; known: {_listed(codes)}"
    ]


def one_spelling(counts: Mapping[str, int]) -> tuple[dict[str, str], list[str]]:
    """Return the class of each spelling of a name, and findings about spellings that were merged.

    Names that differ in case, Unicode form or blanks are one class, under the spelling that most images have.
    """
    groups: dict[str, list[str]] = {}
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        groups.setdefault(spelling(name), []).append(name)
    merged = {name: _written(names[0]) for names in groups.values() for name in names}
    findings = [
        f"classes {_quoted(names)} look like one class: their images are taken together as '{_written(names[0])}'"
        for names in groups.values()
        if len(names) > 1
    ]
    return merged, findings


def _written(name: str) -> str:
    """Return a class name in Unicode's composed form without blanks around it."""
    return " ".join(unicodedata.normalize("NFC", name).split())


def _quoted(names: Collection[str]) -> str:
    """Return names in quotes; names that look alike or cannot be printed have their characters spelt out."""
    shown = [unicodedata.normalize("NFC", name) for name in names]
    unique = len(set(shown)) == len(shown)
    return " and ".join(f"'{name}'" if unique and name.isprintable() else ascii(name) for name in names)


def in_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Return each label once: canonical ones in their order, then the others sorted."""
    unique = set(labels)
    return (*(label for label in CANONICAL if label in unique), *sorted(unique.difference(CANONICAL)))


def lookalikes(class_names: Sequence[str]) -> list[str]:
    """Return warnings about class names that are two names of one emotion."""
    seen: dict[str, str] = {}
    findings = []
    for name in class_names:
        emotion = known(name) or plain(name)
        if emotion in seen:
            findings.append(
                f"classes '{seen[emotion]}' and '{name}' look like one class ({emotion}); they are kept apart"
            )
        seen.setdefault(emotion, name)
    return findings
