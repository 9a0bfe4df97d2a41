"""Access to a service: tokens and browser sessions, stored as irreversible digests."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, or_, select

from fersearch.errors import UsageError, lookup
from fersearch.store.database import Database
from fersearch.store.tables import now, tokens

ROLES = {"read": 0, "run": 1, "admin": 2}
"""Roles of tokens; each includes those before it: read, create and run studies, everything."""
SESSION = timedelta(days=7)
PREFIX = "fer_"


@dataclass(frozen=True)
class Token:
    """A user's identity and role; `id` is None if no database stores it."""

    name: str
    role: str
    owner: str
    id: int | None = None
    created: datetime | None = None
    expires: datetime | None = None

    def may(self, role: str) -> bool:
        """Return whether the token's role includes another role."""
        return ROLES[self.role] >= ROLES[role]


def new_secret() -> str:
    """Return the text of a new token, of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """Return the stored digest of a token. Tokens are random and long, so no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


class TokenQueries:
    """Queries on tokens; each method is one short transaction."""

    database: Database

    def add_token(self, name: str, role: str, owner: str = "", expires: datetime | None = None) -> str:
        """Create a token and return its text, which is stored nowhere.

        Raises:
            UsageError: another token has the name, or there is no such role.
        """
        lookup("role", role, ROLES)
        if any(token.name == name for token in self.tokens()):
            raise UsageError(f"token '{name}' already exists", f"revoke it first: fersearch token revoke {name}")
        secret = new_secret()
        self._insert(secret, Token(name, role, owner or name, expires=expires))
        return secret

    def tokens(self) -> list[Token]:
        """Return the tokens, without browser sessions, oldest first."""
        query = select(tokens).where(tokens.c.session.is_(False)).order_by(tokens.c.id)
        with self.database.read() as connection:
            return [_token(row) for row in connection.execute(query)]

    def revoke_token(self, name: str) -> None:
        """Remove a token and the sessions that it opened; UnknownName if there is none."""
        known = {token.name: token for token in self.tokens()}
        token = lookup("token", name, known)
        with self.database.write() as connection:
            connection.execute(delete(tokens).where(or_(tokens.c.id == token.id, tokens.c.parent == token.id)))

    def open_session(self, token: Token) -> str:
        """Return the secret of a browser session with the token's rights for seven days."""
        secret, moment = new_secret(), now()
        with self.database.write() as connection:
            connection.execute(delete(tokens).where(tokens.c.session, tokens.c.expires_at < moment))
        expires = min(filter(None, (moment + SESSION, token.expires)))
        self._insert(secret, Token(token.name, token.role, token.owner, token.id, expires=expires), session=True)
        return secret

    def close_session(self, secret: str) -> None:
        """Remove a browser session."""
        with self.database.write() as connection:
            connection.execute(delete(tokens).where(tokens.c.digest == digest(secret), tokens.c.session))

    def find_token(self, secret: str) -> Token | None:
        """Return the token behind a token's or session's secret; None if it is unknown, revoked or expired."""
        query = select(tokens).where(tokens.c.digest == digest(secret))
        with self.database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None or (row.expires_at and row.expires_at < now()):
            return None
        return _token(row)

    def _insert(self, secret: str, token: Token, session: bool = False) -> None:
        row = {"name": token.name, "role": token.role, "owner": token.owner, "created_at": now()}
        row |= {"digest": digest(secret), "expires_at": token.expires, "session": session}
        row["parent"] = token.id if session else None
        with self.database.write() as connection:
            connection.execute(insert(tokens).values(**row))


def _token(row: object) -> Token:
    columns = ("name", "role", "owner", "id", "created_at", "expires_at")
    return Token(*(getattr(row, column) for column in columns))
