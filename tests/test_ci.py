"""`.ci/run --here` finds the tests of what changed."""

import importlib.util
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def changed():
    spec = importlib.util.spec_from_file_location("changed", ROOT / ".ci" / "changed.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("fersearch/space.py", "tests/test_space.py"),
        ("fersearch/store/lease.py", "tests/store/test_lease.py"),
        ("fersearch/engines/ray/pool.py", "tests/engines/ray"),
        ("plugins/fersearch_datasets/kdef.py", "tests/plugins/datasets"),
        ("tests/store/test_lease.py", "tests/store/test_lease.py"),
        ("tests/store/conftest.py", "tests/store"),
        ("README.md", "tests/test_docs.py"),
    ],
)
def test_a_file_leads_to_its_tests(changed, monkeypatch, capsys, path, place):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(changed, "changed_files", lambda base: [path])
    changed.main("HEAD")
    (printed,) = capsys.readouterr().out.splitlines()
    assert printed == place or PurePosixPath(printed).is_relative_to(place)


def test_a_file_within_a_room_that_is_tested_whole_is_not_named_again(changed, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(changed, "changed_files", lambda base: ["tests/store/conftest.py", "tests/store/test_lease.py"])
    changed.main("HEAD")
    assert capsys.readouterr().out == "tests/store\n"


def test_nothing_is_printed_where_no_test_belongs_to_a_change(changed, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(changed, "changed_files", lambda base: ["LICENSE", "docker/Dockerfile"])
    changed.main("HEAD")
    assert capsys.readouterr().out == ""
