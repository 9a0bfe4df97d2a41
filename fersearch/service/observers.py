"""Choose a study's observers: those of the service, and the offered ones that the study asks for."""

import logging
from collections.abc import Sequence
from typing import Any

from fersearch.engines.observing import check_observers, default_observers
from fersearch.isolation import in_child
from fersearch.service.settings import ServiceSettings

log = logging.getLogger("fersearch.service")


def check(settings: ServiceSettings) -> None:
    """Check observers in a child process, because some import large libraries.

    Raises:
        FersearchError: one cannot work; UsageError if there is no such observer.
    """
    if texts := [*_always(settings), *settings.offered_observers]:
        in_child(lambda: check_observers(texts), "observers")


def mistakes(names: Any, settings: ServiceSettings) -> list[str]:
    """Return the mistakes in a request's list of observers, which must be names of offered ones.

    Only the administrator sets options, because they contain paths and secrets.
    """
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        return ["observe: is not a list of names"]
    offered = sorted({name_of(text) for text in (*_always(settings), *settings.offered_observers)})
    which = f"offered: {', '.join(offered)}" if offered else "none is: serve --offer-observer NAME offers one"
    mistakes = []
    for text in names:
        if ":" in text:
            mistakes.append(
                f"observe: '{text[:100]}' has options, which the service's administrator gives; name it alone"
            )
        elif text not in offered:
            mistakes.append(f"observe: '{text[:100]}' is not offered here; {which}")
    return mistakes


def of_study(names: Sequence[str], settings: ServiceSettings) -> list[str]:
    """Return a study's observers with the administrator's options, given the names that it asks for.

    One that is no longer offered is left out, and logged.
    """
    texts = list(_always(settings))
    known = {name_of(text): text for text in (*settings.offered_observers, *texts)}
    for name in names:
        if name not in known:
            log.warning("observer '%s' is no longer offered: it receives no events", name)
        elif known[name] not in texts:
            texts.append(known[name])
    return texts


def name_of(text: str) -> str:
    """Return the name in `NAME:OPTION=VALUE,...`."""
    return text.partition(":")[0].strip()


def _always(settings: ServiceSettings) -> Sequence[str]:
    return default_observers() if settings.observe is None else settings.observe
