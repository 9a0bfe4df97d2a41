"""Finding and loading plugins; a broken one names itself and takes no other down."""

import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from fersearch import plugins
from fersearch.errors import PluginError
from fersearch.plugins import PluginFile, folder_files, load, plugin_folder, preload_names

SOUND = """
from fersearch import hookimpl

@hookimpl
def register_metrics(register):
    pass
"""
MISSPELT = SOUND.replace("register_metrics", "register_metric")
WRONG_ARGUMENT = SOUND.replace("(register)", "(registry)")


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No installed plugins, and no module left behind."""
    monkeypatch.setattr(plugins, "entry_points", lambda group: [])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def write(folder: Path, name: str, source: str = SOUND) -> Path:
    path = folder / name
    path.write_text(source)
    return path


def test_a_folders_plugins_are_its_top_level_files_but_no_tests_or_private_ones(tmp_path: Path) -> None:
    for name in ("b.py", "a.py", "test_a.py", "_shared.py", "conftest.py", "notes.txt"):
        write(tmp_path, name)
    (tmp_path / "deeper").mkdir()
    write(tmp_path / "deeper", "c.py")
    assert [path.name for path in folder_files(tmp_path)] == ["a.py", "b.py"]
    assert folder_files(tmp_path / "nowhere") == []


def test_a_byte_order_mark_is_no_part_of_a_plugin(tmp_path: Path) -> None:
    path = write(tmp_path, "a.py")
    plain = PluginFile.read(path)
    path.write_text(SOUND, encoding="utf-8-sig")
    assert PluginFile.read(path) == plain


def test_the_plugin_folder_is_the_variables_or_the_one_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FERSEARCH_PLUGINS_DIR", raising=False)
    assert plugin_folder() == Path("plugins")
    monkeypatch.setenv("FERSEARCH_PLUGINS_DIR", "/elsewhere")
    assert plugin_folder() == Path("/elsewhere")


def test_folder_and_named_files_are_loaded_and_listed(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    write(folder, "a.py")
    explicit = write(tmp_path, "b.py", SOUND + "# another\n")
    loaded = load([explicit], folder)
    assert [file.path for file in loaded.files] == [str(folder / "a.py"), str(explicit)]
    assert len(loaded.manager.get_plugins()) == 2
    assert loaded.broken == {}


def test_a_file_that_is_named_and_in_the_folder_is_loaded_once(tmp_path: Path) -> None:
    path = write(tmp_path, "a.py")
    loaded = load([path, path], tmp_path)
    assert [file.path for file in loaded.files] == [str(path)]
    assert len(loaded.manager.get_plugins()) == 1


def test_a_stored_plugin_loads_from_its_text_without_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "a.py", SOUND + "answer = 42\n")
    plugin_file = PluginFile.read(path)
    path.unlink()
    (module,) = load([plugin_file]).manager.get_plugins()
    assert module.answer == 42
    assert module.__file__ == str(path)


def test_a_changed_file_is_another_module(tmp_path: Path) -> None:
    first = load([write(tmp_path, "a.py", SOUND + "answer = 1\n")])
    second = load([write(tmp_path, "a.py", SOUND + "answer = 2\n")])
    assert [plugin.answer for loaded in (first, second) for plugin in loaded.manager.get_plugins()] == [1, 2]


BROKEN = {
    "SyntaxError": "def register_metrics(register:\n",
    "ModuleNotFoundError": "import no_such_library\n",
    "ZeroDivisionError": "1 / 0\n",
    "PluginValidationError": MISSPELT,
    "SystemExit": "raise SystemExit(3)\n",
}


@pytest.mark.parametrize("error", BROKEN)
def test_a_broken_file_of_the_folder_is_named_and_the_others_load(error: str, tmp_path: Path) -> None:
    bad, good = write(tmp_path, "bad.py", BROKEN[error]), write(tmp_path, "good.py")
    loaded = load(folder=tmp_path)
    assert list(loaded.broken) == [str(bad)]
    assert loaded.broken[str(bad)].startswith(f"plugin {bad} cannot be loaded: {error}")
    assert [file.path for file in loaded.files] == [str(good)]
    assert [plugin.__file__ for plugin in loaded.manager.get_plugins()] == [str(good)]


@pytest.mark.parametrize("error", BROKEN)
def test_an_explicitly_named_broken_file_is_an_error(error: str, tmp_path: Path) -> None:
    path = write(tmp_path, "bad.py", BROKEN[error])
    with pytest.raises(PluginError) as caught:
        load([path])
    assert str(path) in caught.value.message
    assert error in caught.value.message
    assert "fersearch plugin check" in caught.value.hint


def test_a_misspelt_hook_is_named(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="register_metric"):
        load([write(tmp_path, "bad.py", MISSPELT)])


def test_a_hook_with_a_wrong_argument_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="registry"):
        load([write(tmp_path, "bad.py", WRONG_ARGUMENT)])


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"nowhere\.py"):
        load([tmp_path / "nowhere.py"])
    binary = tmp_path / "binary.py"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PluginError, match=r"binary\.py"):
        load([binary])


def test_installed_plugins_come_by_entry_point_and_a_broken_one_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write(tmp_path, "installed_plugin.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [EntryPoint(name, name, plugins.GROUP) for name in ("installed_plugin", "not_installed")]
    monkeypatch.setattr(plugins, "entry_points", lambda group: points)
    loaded = load()
    assert [plugin.__name__ for plugin in loaded.manager.get_plugins()] == ["installed_plugin"]
    assert "No module named 'not_installed'" in loaded.broken["not_installed"]


def test_only_importable_plugins_are_preloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write(tmp_path, "installed_plugin.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [EntryPoint("x", "installed_plugin", plugins.GROUP)]
    monkeypatch.setattr(plugins, "entry_points", lambda group: points)
    explicit = write(tmp_path, "given.py", SOUND + "# by hand\n")
    assert preload_names(load([explicit])) == ["installed_plugin"]


OWN = """
{imported}
from fersearch import hookimpl
from fersearch.components import Metric

class Own(Metric):
    name = "own"

    def compute(self, evaluation):
        return 1.0

@hookimpl
def register_metrics(register):
    register(Own())
"""


def test_a_file_without_hooks_beside_plugins_is_a_helper_and_no_plugin(tmp_path):
    (tmp_path / "own.py").write_text(OWN.format(imported=""))
    (tmp_path / "little_helper.py").write_text("ANSWER = 42\n")
    loaded = plugins.load(folder=tmp_path)
    assert [Path(file.path).name for file in loaded.files] == ["own.py"]
    assert not any("little_helper" in getattr(module, "__name__", "") for module in loaded.manager.get_plugins())


@pytest.mark.parametrize(
    ("imported", "lies"),
    [
        ("import little_helper", "little_helper.py lies beside it"),
        ("from little_helper import ANSWER", "little_helper.py lies beside it"),
        ("from parts_of_it import more", "parts_of_it lies beside it"),
        ("from . import little_helper", "what it imports relatively lies beside it"),
    ],
)
def test_a_plugin_with_a_helper_beside_it_is_reported_to_be_one_file_or_a_package(tmp_path, imported, lies):
    (tmp_path / "own.py").write_text(OWN.format(imported=imported))
    (tmp_path / "little_helper.py").write_text("ANSWER = 42\n")
    (tmp_path / "parts_of_it").mkdir()
    with pytest.raises(PluginError) as caught:
        plugins.load([tmp_path / "own.py"])
    assert caught.value.message.endswith(f"; {lies}, but a plugin is one file, or a package with an entry point")
    assert caught.value.hint == "put what it needs into the file, or make a package: plugins/README.md"


def test_a_plugin_that_misses_an_installed_module_is_reported_so(tmp_path):
    (tmp_path / "own.py").write_text(OWN.format(imported="import nowhere_to_be_found"))
    with pytest.raises(PluginError) as caught:
        plugins.load([tmp_path / "own.py"])
    assert "lies beside it" not in caught.value.message
    assert caught.value.hint.startswith("install what has the module 'nowhere_to_be_found'")
