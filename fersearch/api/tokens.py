"""Tokens: who may use a service, and for what."""

from fersearch.context import open_store
from fersearch.store.tokens import Token


def new_token(name: str, role: str = "run", owner: str = "", storage: str | None = None) -> str:
    """Make a token and return its text, of which only a digest is kept.

    Args:
        role: `read` (look), `run` (also create and run studies) or `admin`.
        owner: whose studies it creates; default its own name.

    Raises:
        UsageError: another token has the name.
    """
    with open_store(storage, create=True) as store:
        return store.add_token(name, role, owner)


def list_tokens(storage: str | None = None) -> list[Token]:
    """Return the tokens, oldest first, without their text."""
    with open_store(storage) as store:
        return store.tokens()


def revoke_token(name: str, storage: str | None = None) -> None:
    """Remove a token and the browsers' sessions that it opened; UnknownName if there is none."""
    with open_store(storage) as store:
        store.revoke_token(name)
