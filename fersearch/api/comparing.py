"""What a comparison takes, read from text."""

from collections.abc import Iterable

from fersearch.errors import UsageError


def chosen_trials(texts: Iterable[str]) -> dict[str, int]:
    """Read `STUDY=N`: the trial that stands for each study.

    Raises:
        UsageError: a text is none of that form.
    """
    found = {}
    for text in texts:
        name, sign, number = text.rpartition("=")
        if not (sign and name and number.isdecimal()):
            raise UsageError(f"--trial {text} is not a choice of a trial", "write STUDY=NUMBER, as --trial mine/cnn=3")
        found[name] = int(number)
    return found
