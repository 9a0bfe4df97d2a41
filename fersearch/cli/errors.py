"""Exit codes of commands, and the messages that they print on errors."""

import contextlib
import errno
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import typer
from typer import Abort, Exit

from fersearch.errors import FersearchError
from fersearch.escaping import masked, safe
from fersearch.home import home

INTERRUPTED = 130
PATHS = {
    errno.ENAMETOOLONG: "no part of a path may be longer than 255 bytes: give a shorter one (-o names what is written)",
    errno.ENOTDIR: "a part of that path is a file, not a folder: give another path",
    errno.EEXIST: "there is a file where a folder is needed: give another path",
    errno.EISDIR: "that is a folder: give the path of a file",
    errno.ELOOP: "that is a symbolic link to itself: give another path",
}
"""Hints by errno for paths that cannot name a file: usage errors, exit code 2."""
LONGEST = 120
SURROUNDINGS = {errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EROFS, errno.EDQUOT}


def guarded(command: Callable[[], object]) -> int:
    """Run a command and return its exit code: 0, 1 failure, 2 usage or input, 130 interrupted."""
    try:
        code = command()
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except BaseException as error:
        notices()
        return _ended(error)
    finally:
        notices()


def tell(message: str, hint: str = "") -> None:
    """Print an error on standard error, its hint indented below."""
    lines = [f"error: {message}", *(f"  {line.strip()}" for line in hint.splitlines())]
    say("\n".join(lines))


def say(text: str) -> None:
    """Print on standard error; ignore that it is closed."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{safe(text)}\n")


def ask(question: str) -> bool:
    """Ask a yes-or-no question at a terminal; return False without a terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty() and typer.confirm(safe(question), err=True)


def echo(text: str) -> None:
    """Print a line on standard output."""
    typer.echo(safe(text))


def _ended(error: BaseException) -> int:
    if isinstance(error, Exit):
        return error.exit_code
    if isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError):
        return _quiet()
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    if os.environ.get("FERSEARCH_DEBUG"):
        say("".join(traceback.format_exception(error)).rstrip())
    if isinstance(error, KeyboardInterrupt | Abort):
        say("interrupted")
        return INTERRUPTED
    if isinstance(error, FersearchError):
        tell(error.message, error.hint)
        return error.exit_code
    if hasattr(error, "format_message"):
        return _misused(error, error.format_message())
    if isinstance(error, OSError) and error.errno in PATHS:
        shown = str(error.filename or "unknown file")
        shown = shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 4]} ..."
        tell(f"{error.strerror}: {shown}", PATHS[error.errno])
        return 2
    if isinstance(error, OSError) and error.errno in SURROUNDINGS:
        tell(
            f"{error.strerror}: {error.filename or 'unknown file'}",
            "free disk space or grant permission, then try again",
        )
        return 1
    return _bug(error)


def _misused(error: BaseException, message: str) -> int:
    """Print a usage error of the parser and return 2; an empty message means that it has printed the help itself."""
    context = getattr(error, "ctx", None)
    if message:
        tell(message.rstrip("."), f"try: {context.command_path} --help" if context else "try: fersearch --help")
    return 2


def _bug(error: BaseException) -> int:
    """Report an unexpected error, write its traceback to the home folder or else a temporary one, and return 1."""
    text = masked("".join(traceback.format_exception(error)))
    name = f"crash-{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.txt"
    for folder in (home() / "logs", Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8", errors="backslashreplace")
        except OSError:
            continue
        summary = traceback.format_exception_only(error)[-1].strip()
        tell(f"a bug in fersearch: {summary}", f"please report it with the traceback in {folder / name}")
        return 1
    say(text)
    return 1


def _quiet() -> int:
    """Discard further output, also that of the exit, because the reader of standard output is gone; return 0."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


def notices() -> None:
    """Print the notices of the verbs, such as the plugin files that were used."""
    context = sys.modules.get("fersearch.context")
    for line in context.drain_notices() if context else []:
        say(f"note: {line}")
