"""Print records for `--json`, the interface that scripts rely on."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fersearch.escaping import masked

if TYPE_CHECKING:
    from fersearch.api.records import Record


def dump(record: "Record | Sequence[Record]") -> None:
    """Print a record or a list of them on standard output; NaN and infinity become null, passwords in URLs `***`."""
    from fersearch.api.records import plain

    sys.stdout.write(masked(json.dumps(plain(record), indent=2)) + "\n")
