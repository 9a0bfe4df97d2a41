"""Whose code runs: what this user has named, and folders that only he or root writes."""

import os
import stat
from pathlib import Path

import pytest

from fersearch import plugins, trust
from fersearch.errors import PluginError

SOUND = "from fersearch import hookimpl\n\n@hookimpl\ndef register_metrics(register):\n    pass\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(trust, "ask", lambda question: False)
    return tmp_path / "home"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `./plugins` of this user with one plugin, where we stand."""
    monkeypatch.delenv("FERSEARCH_PLUGINS_DIR")
    monkeypatch.chdir(tmp_path)
    result = tmp_path / "plugins"
    result.mkdir(mode=0o755)
    (result / "mine.py").write_text(SOUND)
    (result / "mine.py").chmod(0o644)
    return result


def give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let something belong to another user."""
    if os.getuid() == 0:
        os.chown(path, 54321, -1)
    else:
        other = os.getuid() + 1
        monkeypatch.setattr(os, "getuid", lambda: other)


def loaded(folder: Path) -> tuple[list[str], list[str]]:
    """The files that are loaded of the plugins folder, and the messages about the others."""
    result = plugins.load(folder=plugins.plugin_folder())
    assert plugins.plugin_folder().resolve() == folder
    return [Path(file.path).name for file in result.files], [
        message for message in result.broken.values() if "mine" in message
    ]


@pytest.mark.parametrize("mode", [0o755, 0o775, 0o700])
def test_an_own_folder_is_loaded_also_where_a_group_may_write(folder: Path, mode: int) -> None:
    folder.chmod(mode)
    (folder / "mine.py").chmod(mode & 0o664)
    assert loaded(folder) == (["mine.py"], [])


def test_a_folder_that_everybody_may_write_is_not_loaded(folder: Path) -> None:
    folder.chmod(0o777)
    message = (
        "the plugins in plugins are not loaded: everyone may write to it; "
        "to load one, name it: --plugin plugins/mine.py"
    )
    assert loaded(folder) == ([], [message])


def test_a_file_that_everybody_may_write_is_left_out_alone(folder: Path) -> None:
    (folder / "other.py").write_text(SOUND + "# another\n")
    (folder / "mine.py").chmod(0o666)
    (folder / "other.py").chmod(0o644)
    message = (
        "plugin plugins/mine.py is not loaded: everyone may write to it; to load it, name it: --plugin plugins/mine.py"
    )
    assert loaded(folder) == (["other.py"], [message])


@pytest.mark.parametrize("what", ["", "mine.py"])
def test_what_belongs_to_another_user_is_not_loaded(folder: Path, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    give_away(folder / what, monkeypatch)
    names, messages = loaded(folder)
    assert names == []
    assert (
        "it belongs to another user (uid 54321)" in messages[0] if os.getuid() == 0 else "another user" in messages[0]
    )


def test_a_folder_or_file_that_is_named_is_the_users_word(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.chmod(0o777)
    (folder / "mine.py").chmod(0o666)
    assert [Path(file.path).name for file in plugins.load([folder / "mine.py"]).files] == ["mine.py"]
    monkeypatch.setenv("FERSEARCH_PLUGINS_DIR", str(folder))
    assert loaded(folder) == (["mine.py"], [])


def test_digests_are_stored_in_a_file_that_only_this_user_may_read(home: Path) -> None:
    assert not trust.is_trusted("a" * 64)
    trust.trust({"a" * 64: "/x/a b.py"})
    trust.trust({"a" * 64: "/x/a b.py", "b" * 64: "/y\n" + "c" * 64 + ".py"})
    assert [trust.is_trusted(letter * 64) for letter in "abc"] == [True, True, False]
    assert stat.S_IMODE(trust.trusted_file().stat().st_mode) == 0o600
    assert len(trust.trusted_file().read_text().splitlines()) == 2


def test_a_list_that_others_may_write_or_that_is_a_link_counts_for_nothing(home: Path) -> None:
    trust.trust({"a" * 64: "a.py"})
    trust.trusted_file().chmod(0o666)
    assert not trust.is_trusted("a" * 64)
    trust.trust({"b" * 64: "b.py"})
    assert "b" * 64 not in trust.trusted_file().read_text()
    trust.trusted_file().chmod(0o600)
    assert trust.is_trusted("a" * 64)
    trust.trusted_file().rename(home / "elsewhere")
    trust.trusted_file().symlink_to(home / "elsewhere")
    assert not trust.is_trusted("a" * 64)


def test_a_list_of_another_user_counts_for_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trust.trust({"a" * 64: "a.py"})
    where = trust.trusted_file()
    monkeypatch.setattr(trust, "trusted_file", lambda: where)
    give_away(where, monkeypatch)
    assert not trust.is_trusted("a" * 64)


def test_code_of_a_database_is_refused_without_a_terminal(home: Path) -> None:
    with pytest.raises(PluginError) as caught:
        trust.require({"a" * 64: ("/x/own.py", "print(1)\n")}, "study 's'", "allow it")
    assert caught.value.message == "study 's' contains code that you have not allowed to run here: /x/own.py"
    (copy,) = (home / "plugins-to-read").iterdir()
    assert caught.value.hint == f"read it in {copy}, then allow it"
    assert copy.read_text() == "print(1)\n"


def test_a_user_is_prompted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts: list[str] = []

    def ask(question: str) -> bool:
        prompts.append(question)
        return True

    monkeypatch.setattr(trust, "ask", ask)
    for _ in range(2):
        trust.require({"a" * 64: ("/x/own.py", "")}, "study 's'", "allow it")
    assert len(prompts) == 1
    assert "study 's' contains code that you have not allowed to run here: /x/own.py" in prompts[0]
