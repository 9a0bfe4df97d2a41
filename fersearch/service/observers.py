"""Which observers are told of a study: those of the service, and those it asks for that the administrator offers."""

import logging
from collections.abc import Sequence
from typing import Any

from fersearch.engines.observing import check_observers, default_observers
from fersearch.isolation import in_child
from fersearch.service.settings import ServiceSettings

log = logging.getLogger("fersearch.service")


def check(settings: ServiceSettings) -> None:
    """Refuse observers that do not exist or cannot work; in a child, for some load much to find that out.

    Raises:
        FersearchError: one cannot work; UsageError where it is named wrongly.
    """
    if texts := [*_always(settings), *settings.offered_observers]:
        in_child(lambda: check_observers(texts), "observers")


def mistakes(asked: Any, settings: ServiceSettings) -> list[str]:
    """Return what is wrong with the observers that a request asks for: a name each, of those that are offered.

    Options are the administrator's alone: they name places and may hold secrets.
    """
    if not isinstance(asked, list) or not all(isinstance(one, str) for one in asked):
        return ["observe: is not a list of names"]
    offered = sorted({name_of(text) for text in (*_always(settings), *settings.offered_observers)})
    which = f"offered: {', '.join(offered)}" if offered else "none is: serve --offer-observer NAME offers one"
    found = []
    for text in asked:
        if ":" in text:
            found.append(f"observe: '{text[:100]}' has options, which the service's administrator gives; name it alone")
        elif text not in offered:
            found.append(f"observe: '{text[:100]}' is not offered here; {which}")
    return found


def of_study(asked: Sequence[str], settings: ServiceSettings) -> list[str]:
    """Return the observers, with the administrator's options, that are told of a study that asks for some.

    One that was offered when it was created and is no more is left out, and that is logged.
    """
    told = list(_always(settings))
    known = {name_of(text): text for text in (*settings.offered_observers, *told)}
    for name in asked:
        if name not in known:
            log.warning("observer '%s' is not offered any more: it is not told", name)
        elif known[name] not in told:
            told.append(known[name])
    return told


def name_of(text: str) -> str:
    """Return the name in `NAME:OPTION=VALUE,...`."""
    return text.partition(":")[0].strip()


def _always(settings: ServiceSettings) -> Sequence[str]:
    return default_observers() if settings.observe is None else settings.observe
