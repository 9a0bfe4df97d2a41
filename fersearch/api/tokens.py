"""Tokens that grant access to a service."""

from fersearch.context import open_store
from fersearch.store.tokens import Token


def new_token(name: str, role: str = "run", owner: str = "", storage: str | None = None) -> str:
    """Create a token and return its text, of which only a digest is stored.

    Args:
        role: `read`, `run` (also create and run studies) or `admin`.
        owner: the owner of the studies that it creates; default the token's name.

    Raises:
        UsageError: a token of that name exists.
    """
    with open_store(storage, create=True) as store:
        return store.add_token(name, role, owner)


def list_tokens(storage: str | None = None) -> list[Token]:
    """Return the tokens, oldest first, without their text."""
    with open_store(storage) as store:
        return store.tokens()


def revoke_token(name: str, storage: str | None = None) -> None:
    """Delete a token and the browser sessions that it opened. Raise UnknownName if there is no such token."""
    with open_store(storage) as store:
        store.revoke_token(name)
