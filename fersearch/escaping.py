"""Text that is safe to show: without terminal control characters and passwords in URLs.

Names of classes, studies and files come from strangers; what shows them passes through here.
"""

import re

MASK = "***"
_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but for tab and the end of a line
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # unseen, or turning the line
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_USER_INFO = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]{0,20}://[^\s:/@]*):\S*@")
_PARAMETER = re.compile(r"([?&][a-z]*password=)[^&\s'\"]*", re.IGNORECASE)
ENCODE = "percent-encode @ : / % in the user and the password: %40 %3A %2F %25"


def printable(text: str) -> str:
    r"""Return the text with terminal control characters escaped: `\x1b`, `\u202e`, `\x80` for a non-text byte."""
    return _OBEYED.sub(lambda match: _written(ord(match[0])), text)


def masked(text: str) -> str:
    """Return the text without the passwords of URLs, even those that lack percent-encoding."""
    if "://" not in text:
        return text
    return _PARAMETER.sub(rf"\1{MASK}", _USER_INFO.sub(rf"\1:{MASK}@", text))


def masked_url(url: str) -> str:
    """Return a URL without its password, whatever that contains: everything from the user to the last @."""
    if "://" not in url:  # no URL at all, but it may have been meant as one
        before, at, place = url.rpartition("@")
        return f"{before.partition(':')[0]}:{MASK}{at}{place}" if ":" in before else url
    scheme, divided, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    hidden = f"{user.partition(':')[0]}:{MASK}" if ":" in user and not rest.startswith("/") else user
    return masked(f"{scheme}{divided}{hidden}{at}{place}")


def safe(text: str) -> str:
    """Return the text as it may be shown: `masked` and `printable`."""
    return printable(masked(text))


def _written(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name, as Python keeps it
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
