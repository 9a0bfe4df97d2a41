"""Parse the arguments of comparisons."""

from collections.abc import Iterable

from fersearch.errors import UsageError


def chosen_trials(texts: Iterable[str]) -> dict[str, int]:
    """Parse `STUDY=N` texts into the trial that represents each study.

    Raises:
        UsageError: a text has another form.
    """
    trials = {}
    for text in texts:
        name, sign, number = text.rpartition("=")
        if not (sign and name and number.isdecimal()):
            raise UsageError(f"--trial {text} is not a choice of a trial", "write STUDY=NUMBER, as --trial mine/cnn=3")
        trials[name] = int(number)
    return trials
