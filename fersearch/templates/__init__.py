"""What `plugin new` writes: a plugin that works as it is, and its test, from the files beside this one."""

from pathlib import Path
from string import Template

from fersearch.errors import lookup

KINDS = ("architecture", "dataset", "metric", "observer")


def render(kind: str, name: str) -> dict[str, str]:
    """Return the text of a new plugin and of its test, by file name.

    Raises:
        UnknownName: there is no template of that kind.
    """
    lookup("kind", kind, dict.fromkeys(KINDS))
    folder = Path(__file__).parent
    title = "".join(part.capitalize() for part in name.split("_"))
    parts = {f"{name}.py": folder / f"{kind}.txt", f"test_{name}.py": folder / f"test_{kind}.txt"}
    return {
        file: Template(path.read_text(encoding="utf-8")).substitute(name=name, Name=title)
        for file, path in parts.items()
    }
