"""Letting the verbs talk to a service, instead of working on this machine."""

from typing import Any

from fersearch.errors import UsageError

HERE = ("connect", "disconnect", "is_connected")
TRAINED_THERE = "it trains outside the queue, in which a service's slots are shared"
REFUSED = {
    "rerun_trial": ("trial rerun", TRAINED_THERE, "fersearch trial rerun STUDY N"),
    "collect_garbage": ("checkpoint gc", "it removes files", "fersearch checkpoint gc"),
}
"""Commands that a service does not answer, why not, and what to type on its machine; others say nothing special."""
_connected: list[Any] = []


def connect(url: str, token: str | None = None) -> None:
    """Let the verbs talk to a service from now on, as `fersearch --server URL` does; those that it lacks are refused.

    Args:
        token: one of `new_token`; None where the service asks for none.

    Raises:
        UsageError: the URL is not a service's address.
    """
    from fersearch.api.remote.verbs import RemoteVerbs

    verbs = RemoteVerbs(url, token)
    disconnect()
    _connected.append(verbs)


def disconnect() -> None:
    """Let the verbs work on this machine again."""
    while _connected:
        _connected.pop().close()


def is_connected() -> bool:
    """Return whether the verbs talk to a service."""
    return bool(_connected)


def remote_verb(name: str) -> Any:
    """Return a verb of the service that is connected; None where none is, or for what is about the connection.

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
