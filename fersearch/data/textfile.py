"""Reads text files in UTF-8, with a byte-order mark or without."""

from pathlib import Path

from fersearch.data.folders import unreadable
from fersearch.errors import DataError

ENCODING = "utf-8-sig"


def read_text(path: Path) -> str:
    """Return the text of a small file.

    Raises:
        DataError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding=ENCODING)
    except OSError as error:
        raise unreadable(path, error) from None
    except UnicodeDecodeError as error:
        raise not_utf8(path, error) from None


def lines(path: Path) -> list[tuple[int, str]]:
    """Yield number and text of every line that is not blank, stripped; DataError as `read_text`."""
    return [(number, line.strip()) for number, line in enumerate(read_text(path).splitlines(), 1) if line.strip()]


def not_utf8(path: Path, error: UnicodeDecodeError) -> DataError:
    """Return the error for a file in another encoding."""
    utf16 = error.object[:2] in (b"\xff\xfe", b"\xfe\xff")
    problem = "is text in UTF-16" if utf16 else f"is not text in UTF-8 (byte {error.object[error.start]:#x})"
    return DataError(f"{path} {problem}", "save it in UTF-8 (iconv -t utf-8, or an editor's 'save as')")
