"""The files that `plugin new` writes work unchanged: the plugin loads from a folder, and its own test passes."""

import subprocess
import sys

import pytest

from fersearch import registry, templates
from fersearch.errors import UnknownName


@pytest.mark.parametrize("kind", templates.KINDS)
def test_a_new_plugin_is_discovered_in_its_folder(kind, tmp_path):
    for name, text in templates.render(kind, "my_own").items():
        (tmp_path / name).write_text(text)
    result = registry.load(folder=tmp_path)
    assert not result.broken
    assert (kind, "my_own") in [(known, component.name) for known, component in result.components()]


def test_a_new_plugin_of_each_kind_passes_its_own_test(tmp_path):
    """In one process for all, for it is one in which nothing of fersearch was imported."""
    written = {f"my_{kind}": templates.render(kind, f"my_{kind}") for kind in templates.KINDS}
    for files in written.values():
        for name, text in files.items():
            (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rA", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout
    for name in written:
        assert f"PASSED test_{name}.py::" in done.stdout


def test_a_plugin_and_its_test_lie_beside_each_other():
    assert list(templates.render("metric", "top_two")) == ["top_two.py", "test_top_two.py"]


def test_an_unknown_kind_is_reported_with_the_known_ones():
    with pytest.raises(UnknownName, match="did you mean 'metric'"):
        templates.render("metrik", "x")
