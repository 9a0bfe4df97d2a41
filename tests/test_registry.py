"""From names to components; unknown, double and unsound ones are errors that say so."""

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from fersearch import plugins, registry
from fersearch.errors import PluginError, UnknownName

METRIC = """
from fersearch import Metric, hookimpl

class {cls}(Metric):
    name = "{name}"
    def compute(self, evaluation):
        return 1.0

@hookimpl
def register_metrics(register):
    register({cls}())
"""
ARCHITECTURE = """
from fersearch import Architecture, Choice, hookimpl

class Net(Architecture):
    name = {name!r}
    space = {space}
    stage_names = {stages!r}
    def build(self, params, task): ...
    def stages(self, model): ...

@hookimpl
def register_architectures(register):
    register({given})
"""


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(plugins, "entry_points", lambda group: [])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def metric(folder: Path, name: str, file: str = "") -> Path:
    path = folder / f"{file or name}.py"
    path.write_text(METRIC.format(name=name, cls=name.title().replace("_", "")))
    return path


def architecture(folder: Path, name: str = "net", space: str = "{}", stages: object = ("a", "b"), **more: str) -> Path:
    path = folder / "net.py"
    returned = more.get("given", "Net()")
    path.write_text(ARCHITECTURE.format(name=name, space=space, stages=stages, given=returned))
    return path


def test_components_are_looked_up_by_name_and_know_their_file(tmp_path: Path) -> None:
    result = registry.load([metric(tmp_path, "ones"), architecture(tmp_path)])
    assert result.metric("ones").compute(None) == 1.0
    assert [(kind, component.name) for kind, component in result.components()] == [
        ("architecture", "net"),
        ("metric", "ones"),
    ]
    assert result.file_of(result.metric("ones")).path == str(tmp_path / "ones.py")
    assert result.file_of(object()) is None


def test_an_unknown_name_is_reported_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownName) as caught:
        registry.load([metric(tmp_path, "ones")]).metric("oness")
    assert caught.value.hint == "did you mean 'ones'? known metrics: ones"


def test_an_unknown_name_also_tells_which_plugins_did_not_load(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("1 / 0\n")
    with pytest.raises(UnknownName) as caught:
        registry.load(folder=tmp_path).architecture("net")
    assert f"not loaded: plugin {tmp_path / 'bad.py'} cannot be loaded: ZeroDivisionError" in caught.value.hint


def test_a_name_claimed_twice_names_both_files(tmp_path: Path) -> None:
    first, second = metric(tmp_path, "ones", "a"), metric(tmp_path, "ones", "b")
    second.write_text(second.read_text() + "# not the same text\n")
    with pytest.raises(PluginError) as caught:
        registry.load(folder=tmp_path)
    assert caught.value.message == f"metric 'ones' is claimed twice: by {first} and by {second}"
    assert "rename" in caught.value.hint


def test_a_name_claimed_twice_in_one_file_is_an_error(tmp_path: Path) -> None:
    path = metric(tmp_path, "ones")
    path.write_text(path.read_text() + "    register(Ones())\n")
    with pytest.raises(PluginError, match="claimed twice"):
        registry.load([path])


UNSOUND = {
    "an architecture needs a name without blanks": {"name": "my net"},
    "net.width must be a Float, an Int or a Choice": {"space": "{'width': [16, 32]}"},
    "needs stage_names": {"stages": ()},
    "not an architecture": {"given": "'net'"},
    "Can't instantiate abstract class": {"given": "Architecture()"},
}


@pytest.mark.parametrize("complaint", UNSOUND)
def test_an_explicitly_named_unsound_component_is_refused(complaint: str, tmp_path: Path) -> None:
    path = architecture(tmp_path, **UNSOUND[complaint])
    with pytest.raises(PluginError) as caught:
        registry.load([path])
    assert str(path) in caught.value.message
    assert complaint in caught.value.message


@pytest.mark.parametrize("complaint", UNSOUND)
def test_an_unsound_component_of_the_folder_leaves_the_others(complaint: str, tmp_path: Path) -> None:
    path = architecture(tmp_path, **UNSOUND[complaint])
    metric(tmp_path, "ones")
    result = registry.load(folder=tmp_path)
    assert result.metric("ones").name == "ones"
    assert complaint in result.broken[str(path)]
    assert result.architectures == {}


def test_a_plugin_that_fails_halfway_brings_nothing(tmp_path: Path) -> None:
    path = metric(tmp_path, "ones")
    path.write_text(path.read_text() + "    1 / 0\n")
    result = registry.load(folder=tmp_path)
    assert result.metrics == {}
    assert "ZeroDivisionError" in result.broken[str(path)]


OBSERVER = """
from fersearch import StudyObserver, hookimpl

class Watcher(StudyObserver):
    name = {name!r}
    options = {options!r}

@hookimpl
def register_observers(register):
    register(Watcher())
"""


def test_an_observer_is_looked_up_by_name(tmp_path: Path) -> None:
    path = tmp_path / "watcher.py"
    path.write_text(OBSERVER.format(name="watcher", options={"file": "where it goes"}))
    result = registry.load([path])
    assert [(kind, component.name) for kind, component in result.components()] == [("observer", "watcher")]
    with pytest.raises(UnknownName, match="unknown observer 'watch'"):
        result.observer("watch")


@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        ("a:b", {}, "an observer's name has no colon, for its options follow one"),
        ("a", {"file": 3}, "option 'file' of observer a must be a name with a line that explains it, not 3"),
        ("a", {"the-file": "x"}, "option 'the-file' of observer a must be a name with a line that explains it"),
    ],
)
def test_an_unsound_observer_is_refused(name: str, options: object, complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "watcher.py"
    path.write_text(OBSERVER.format(name=name, options=options))
    with pytest.raises(PluginError) as caught:
        registry.load([path])
    assert caught.value.message.startswith(f"plugin {path}: {complaint}")


def test_a_function_that_is_no_hook_is_not_called(tmp_path: Path) -> None:
    path = metric(tmp_path, "ones")
    path.write_text(path.read_text().replace("@hookimpl\n", ""))
    assert registry.load([path]).metrics == {}


FAMILY = """
from fersearch import Architecture, hookimpl
from fersearch.errors import UnknownName

class Family(Architecture):
    name = "family"
    stage_names = ("a", "b")
    def variant(self, name):
        if name not in ("", "small"):
            raise UnknownName(f"family has no {name}")
        member = Family()
        member.name = f"family:{name}" if name else "family"
        return member
    def build(self, params, task): ...
    def stages(self, model): ...

@hookimpl
def register_architectures(register):
    register(Family())
"""


def test_a_family_gets_the_part_after_the_colon(tmp_path: Path) -> None:
    path = tmp_path / "family.py"
    path.write_text(FAMILY)
    result = registry.load([path])
    assert result.architecture("family:small").name == "family:small"
    assert result.file_of(result.architecture("family:small")).path == str(path)
    with pytest.raises(UnknownName, match="family has no large"):
        result.architecture("family:large")


def test_an_architecture_without_variants_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="net has no variants such as 'small'") as caught:
        registry.load([architecture(tmp_path)]).architecture("net:small")
    assert caught.value.hint == "did you mean 'net'?"


def test_a_variant_of_an_unknown_family_is_an_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="unknown architecture 'nett'") as caught:
        registry.load([architecture(tmp_path)]).architecture("nett:small")
    assert "did you mean 'net'?" in caught.value.hint


def test_a_file_of_an_installed_plugin_stands_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("cnn", "fersearch_architectures.cnn", plugins.GROUP)
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point])
    path = Path(point.load().__file__)
    installed, file_plugins = registry.load(), registry.load([path])
    assert installed.file_of(installed.architecture("cnn")) is None
    assert [Path(file.path) for file in file_plugins.files] == [path]
    assert file_plugins.file_of(file_plugins.architecture("cnn")) is file_plugins.files[0]
