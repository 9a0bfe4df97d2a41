"""Plugin code of a database or a checkpoint's folder: a command asks before it runs it."""

import json
from pathlib import Path

import pytest

from fersearch import api, cli, trust
from fersearch.checkpoint_folder import trusted_registry, write_plugins
from fersearch.context import components, components_of, notices, open_store
from fersearch.errors import PluginError
from fersearch.plugins import PluginFile
from tests.cards import card
from tests.training.test_card import with_card

METRIC = """
from fersearch import Metric, hookimpl


class Own(Metric):
    name = "{name}"

    def compute(self, evaluation):
        return 1.0


@hookimpl
def register_metrics(register):
    register(Own())
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("FERSEARCH_STORAGE", raising=False)
    monkeypatch.setattr(trust, "ask", lambda question: False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def study(tmp_path: Path) -> str:
    """A study whose objective is a metric of a plugin file, in a database that came from another machine."""
    (tmp_path / "own.py").write_text(METRIC.format(name="own"))
    made = api.create_study("cnn", "faces", name="s", objectives=["own:max"], plugins=[tmp_path / "own.py"])
    trust.trusted_file().unlink()
    return made.name


def verbs(study: str, out: Path) -> dict[str, object]:
    """Everything that runs the code of a study's plugins."""
    return {
        "run": lambda: api.run_study(study, slots=1),
        "report": lambda: api.write_report(study, out),
        "compare": lambda: api.compare_studies([study]),
        "sweep": lambda: api.sweep_study(study, "batch_size"),
    }


def held(study: str):
    with open_store() as store:
        return store.study(study)


@pytest.mark.parametrize("verb", ["run", "report", "compare", "sweep"])
def test_code_of_a_database_does_not_run_unasked(study: str, verb: str, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match="study 's' contains code that you have not allowed to run here") as caught:
        verbs(study, tmp_path / "out")[verb]()
    assert caught.value.hint.endswith("then allow it with --trust-plugin (in Python: api.trust_plugins('s'))")
    assert not (tmp_path / "out").exists()


def test_an_ensemble_and_a_rerun_ask_too(study: str) -> None:
    from fersearch.ensembles.candidates import registry_of

    for load in (lambda: registry_of([held(study)]), lambda: components_of(held(study))):
        with pytest.raises(PluginError, match="have not allowed to run here"):
            load()


def test_what_was_named_here_runs(study: str, tmp_path: Path) -> None:
    components([tmp_path / "own.py"])
    assert components_of(held(study)).metric("own").name == "own"


def test_trust_is_remembered(study: str) -> None:
    api.trust_plugins(study)
    assert components_of(held(study)).metric("own").name == "own"


def test_a_file_of_the_own_folder_is_trusted(study: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plugins").mkdir(mode=0o755)
    (tmp_path / "own.py").rename(tmp_path / "plugins" / "own.py")
    monkeypatch.setenv("FERSEARCH_PLUGINS_DIR", str(tmp_path / "plugins"))
    components()
    assert components_of(held(study)).metric("own").name == "own"


def test_the_command_line_takes_the_flag_as_the_answer(study: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["study", "compare", study]) == 1
    messages = capsys.readouterr().err
    assert "error: study 's' contains code that you have not allowed to run here" in messages
    assert "--trust-plugin" in messages
    assert cli.run(["study", "compare", study, "--trust-plugin"]) == 2  # no trial is complete
    assert "contains code" not in capsys.readouterr().err
    assert cli.run(["study", "compare", study]) == 2
    assert trust.ask("?") is False


def test_plugins_of_one_name_lie_beside_weights_side_by_side(tmp_path: Path) -> None:
    files = []
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "own.py").write_text(METRIC.format(name=place))
        files.append(PluginFile.read(tmp_path / place / "own.py"))
    folder = tmp_path / "pulled"
    folder.mkdir()
    write_plugins(folder, files)
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(f"own-{file.digest[:8]}.py" for file in files)
    weights = with_card(folder / "model.safetensors", json.dumps(card(plugins=[file.entry for file in files])))
    with pytest.raises(PluginError) as caught:
        trusted_registry(folder, trust_plugin=False)
    assert all(str(folder / name) in caught.value.message for name in names)
    registry = trusted_registry(folder, trust_plugin=True)
    assert {"a", "b"} <= set(registry.metrics)
    old = [{"path": file.path, "digest": file.digest} for file in files]  # the weights of format 1, pulled anew
    with_card(weights, json.dumps(card(format=1, plugins=old)))
    assert {"a", "b"} <= set(trusted_registry(folder, trust_plugin=True).metrics)


def test_a_folder_pulled_by_an_earlier_version_opens(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(METRIC.format(name="own"))
    file = PluginFile.read(tmp_path / "own.py")
    plugin = {"path": "/gone/own.py", "digest": file.digest}
    with_card(tmp_path / "model.safetensors", json.dumps(card(format=1, plugins=[plugin])))
    assert "own" in trusted_registry(tmp_path, trust_plugin=True).metrics


def test_plugins_within_a_checkpoint_are_not_run_by_predict_and_evaluate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FERSEARCH_PLUGINS_DIR")
    folder = tmp_path / "pulled"
    (folder / "plugins").mkdir(parents=True, mode=0o755)
    (folder / "plugins" / "evil.py").write_text(METRIC.format(name="evil"))
    with_card(folder / "model.safetensors", json.dumps(card()))
    monkeypatch.chdir(folder)
    assert "evil" not in trusted_registry(Path(), trust_plugin=True).metrics
    monkeypatch.chdir(folder / "plugins")
    assert "evil" not in trusted_registry(folder, trust_plugin=True).metrics
    (folder / "model.safetensors").rename(tmp_path / "x.safetensors")
    monkeypatch.chdir(folder)
    assert "evil" in trusted_registry(tmp_path / "x.safetensors", trust_plugin=False).metrics  # the folder is ours


def test_a_plugin_that_misses_a_module_is_named_with_it(tmp_path: Path) -> None:
    (tmp_path / "needy.py").write_text("import no_such_library.part\n")
    with pytest.raises(PluginError) as caught:
        components([tmp_path / "needy.py"])
    assert str(tmp_path / "needy.py") in caught.value.message
    assert "No module named 'no_such_library'" in caught.value.message
    assert caught.value.hint.startswith("install what has the module 'no_such_library', or fix it")
    notices.clear()
