"""Trials that benchmarks put in place of real ones take what the engines pass to real ones."""

import ast
from inspect import signature
from pathlib import Path

import pytest

from fersearch.training.attempt import run_trial

FOLDER = Path(__file__).parent


@pytest.mark.parametrize("name", ["_noop.py", "_sleep.py"])
def test_it_has_the_parameters_of_a_real_one(name: str):
    """Read from the source, since importing it replaces the real one."""
    tree = ast.parse((FOLDER / name).read_text())
    fake = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "run_trial")
    assert {argument.arg for argument in fake.args.args} == signature(run_trial).parameters.keys() - {"registry"}
