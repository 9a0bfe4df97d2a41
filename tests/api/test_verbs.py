"""`fersearch.api` offers its verbs to who looks, and loads each from its room when it is used."""

import ast
import inspect
from pathlib import Path

import pytest

from fersearch import api


def test_the_verbs_are_what_a_notebook_completes():
    assert dir(api) == sorted(api.__all__)


def test_the_verbs_are_listed_alike_for_readers_checkers_and_the_loader():
    tree = ast.parse(Path(api.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    imported = {
        alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert imported == api._HOMES
    assert sorted(imported) == api.__all__


@pytest.mark.parametrize("name", api.__all__)
def test_each_verb_is_a_documented_function_of_its_room(name):
    verb = getattr(api, name)
    assert inspect.isfunction(verb)
    assert verb.__module__ == api._HOMES[name]
    assert inspect.getdoc(verb)


def test_what_is_no_verb_is_missing_as_in_any_module():
    with pytest.raises(AttributeError, match=r"no attribute 'run_all'"):
        _ = api.run_all
