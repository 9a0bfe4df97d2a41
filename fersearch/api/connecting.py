"""Connect the verbs to a service, instead of working on this machine."""

from typing import Any

from fersearch.errors import UsageError

HERE = ("connect", "disconnect", "is_connected")
REFUSED = {"collect_garbage": ("checkpoint gc", "it removes files", "fersearch checkpoint gc")}
"""Verbs that a service refuses: their command, the reason, and what to type on its machine instead."""
_connected: list[Any] = []


def connect(url: str, token: str | None = None) -> None:
    """Send calls of the verbs to a service from now on, as `fersearch --server URL` does; it may refuse some of them.

    Args:
        token: one from `new_token`; None if the service requires none.

    Raises:
        UsageError: the URL is no valid address.
    """
    from fersearch.api.remote.verbs import RemoteVerbs

    verbs = RemoteVerbs(url, token)
    disconnect()
    _connected.append(verbs)


def disconnect() -> None:
    """Make the verbs work on this machine again."""
    while _connected:
        _connected.pop().close()


def is_connected() -> bool:
    """Return whether the verbs are connected to a service."""
    return bool(_connected)


def remote_verb(name: str) -> Any:
    """Return a verb of the connected service; None without a connection, and for the functions of this module.

    Raises:
        UsageError: the service does not offer it.
    """
    if not _connected or name in HERE:
        return None
    if name in REFUSED:
        command, why, there = REFUSED[name]
        raise UsageError(f"a service does not offer '{command}': {why}", f"type it where the service runs: {there}")
    if not hasattr(_connected[0], name):
        raise UsageError(f"a service does not offer '{name}'", "leave out --server and FERSEARCH_SERVER for it")
    return getattr(_connected[0], name)
