"""The example notebook runs from top to bottom, and shows what it says."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from fersearch.api.results import Front, StudyView

NOTEBOOK = json.loads((Path(__file__).parent.parent / "studies" / "notebook.ipynb").read_text(encoding="utf-8"))
CODE = {cell["id"]: "".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"}


def run(source: str, names: dict[str, Any]) -> Any:
    """Run a cell; return the value of its last expression, as a notebook shows it."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), "cell", "eval"), names)


def test_it_is_committed_without_outputs_of_a_run() -> None:
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 5)
    ran = [cell for cell in NOTEBOOK["cells"] if cell.get("outputs") or cell.get("execution_count")]
    assert ran == []


def test_it_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warm_fork_server: None) -> None:
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = {key: run(source, names) for key, source in CODE.items()}
    assert isinstance(shown["create"], StudyView)
    assert sum(shown["run"].counts.values()) == 4
    assert isinstance(shown["front"], Front)
    assert list(shown["frame"].columns) == ["state", "epochs", "params_learning_rate", "values_f1_macro"]
    assert len(shown["frame"]) == 4
    assert list(shown["epochs"].index)[:1] == [1]
    folder, weights = shown["pull"]
    assert folder.is_dir()
    assert weights > 10_000
    assert [Path(image).is_file() for image, _ in shown["predict"]] == [True] * 3
