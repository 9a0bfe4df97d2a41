"""The child process of a service that runs one verb.

`python -m fersearch.service.job` reads `{"verb", "arguments"}` on standard input and writes `{"result"}` or
`{"problem"}` on standard output, after one line for each report of the verb. With `--ready` it imports what most verbs
need before it reads.
"""

import json
import os
import signal
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from fersearch.errors import FersearchError, StudyFileError
from fersearch.service.statuses import NO_ROOM, is_disk_full, status_of
from fersearch.service.verbs import REPORTING, VERBS

READY = "--ready"
PRELOAD = ("fersearch.api.records", "fersearch.planning.plan", "fersearch.studyfile.reading", "fersearch.store")


def main() -> None:
    """Run the verb named on standard input, once it is; nothing if that ends empty."""
    if READY in sys.argv:
        for module in PRELOAD:
            import_module(module)
    text = sys.stdin.read()
    if not text:
        return
    request = json.loads(text)
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # output of libraries must not mix with the result

    def say(line: Mapping[str, Any]) -> None:
        out.write(json.dumps(line) + "\n")

    signal.signal(signal.SIGINT, signal.default_int_handler)  # also under a shell that lets children ignore it
    verb, arguments = request["verb"], request["arguments"]
    try:
        reporting = {"say": say} if verb in REPORTING else {}
        answer: dict[str, Any] = {"result": VERBS[verb](**arguments, **reporting)}
    except FersearchError as error:
        mistakes = list(error.mistakes) if isinstance(error, StudyFileError) else []
        problem = {"status": status_of(error), "detail": error.message, "hint": error.hint, "mistakes": mistakes}
        answer = {"problem": problem}
    except OSError as error:
        if not is_disk_full(error):
            raise
        status, detail, hint = NO_ROOM
        answer = {"problem": {"status": status, "detail": detail, "hint": hint, "mistakes": []}}
    with out:
        say(answer)


if __name__ == "__main__":
    main()
