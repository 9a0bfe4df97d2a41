"""Trust in code: the plugin files this user allowed, by digest, and the folders that may be loaded.

A database, a pulled checkpoint and a folder that others may write hold code of others, and to load a plugin is to
run it. A file that the user names explicitly is trusted.
"""

import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from fersearch.errors import PluginError
from fersearch.home import home

ask: Callable[[str], bool] = lambda question: False  # noqa: ARG005, E731
"""Asks the user whether code may run; set by the command line, elsewhere the answer is no."""


def trusted_file() -> Path:
    """Return the file of trusted digests, this user's own in the home folder, which several users may share."""
    return home() / f"trusted-plugins-{_user()}"


def is_trusted(digest: str) -> bool:
    """Return whether this user trusts a plugin file of that SHA-256."""
    return digest in _trusted()


def trust(files: Mapping[str, str]) -> None:
    """Trust plugin files, given as paths by SHA-256, from now on; without effect if the home is read-only."""
    known = _trusted()
    lines = "".join(f"{digest} {path!r}\n" for digest, path in files.items() if digest not in known)
    if not lines:
        return
    with suppress(OSError):
        trusted_file().parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(trusted_file(), flags, 0o600)
        try:
            if _is_private(os.fstat(descriptor)):
                os.write(descriptor, lines.encode("utf-8", "backslashreplace"))  # in one piece, also beside others
        finally:
            os.close(descriptor)


def require(files: Mapping[str, tuple[str, str]], what: str, how: str) -> None:
    """Raise PluginError unless the user trusts code from a database: names and sources by SHA-256.

    A person at a terminal is asked once. `what` holds the files, `how` says what to type.

    Raises:
        PluginError: it is not trusted, and there is no terminal to ask at; the hint names readable copies.
    """
    known = _trusted()
    new = {digest: entry for digest, entry in files.items() if digest not in known}
    if not new:
        return
    names = ", ".join(name for name, _ in new.values())
    copies = ", ".join(_copy(digest, source) for digest, (_, source) in new.items())
    message = f"{what} contains code that you have not allowed to run here: {names}"
    if not ask(f"{message}\nread it in {copies}\nallow it to run?"):
        raise PluginError(message, f"read it in {copies}, then {how}")
    trust({digest: name for digest, (name, _) in new.items()})


def refusal(path: Path) -> str | None:
    """Return why code in an implicit file or folder is not run; None if it is this user's or root's own."""
    try:
        status = path.stat()
    except OSError as error:
        return str(error.strerror)
    if hasattr(os, "getuid") and status.st_uid not in (os.getuid(), 0):
        return f"it belongs to another user ({_named(status.st_uid)})"
    return "everyone may write to it" if os.name == "posix" and status.st_mode & stat.S_IWOTH else None


def _trusted() -> set[str]:
    try:
        descriptor = os.open(trusted_file(), os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return set()
    with open(descriptor, encoding="utf-8", errors="replace") as file:
        if not _is_private(os.fstat(descriptor)):
            return set()
        return {line.split(" ", 1)[0] for line in file}


def _is_private(status: os.stat_result) -> bool:
    """Return whether a file is this user's, and writable by no one else."""
    if not stat.S_ISREG(status.st_mode):
        return False
    return not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & 0o022)


def _copy(digest: str, source: str) -> str:
    """Write code to a file that the user can read before it runs; return the path."""
    path = home() / "plugins-to-read" / f"{digest[:16]}.py"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    except OSError as error:
        return f"the database: {path} cannot be written ({error.strerror})"
    return str(path)


def _user() -> str:
    return str(os.getuid()) if hasattr(os, "getuid") else "user"


def _named(uid: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return f"uid {uid}"
