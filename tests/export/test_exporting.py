"""A pulled checkpoint becomes an ONNX file: checked before it is stored, described by a card, used without torch."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import onnx
import pytest
from PIL import Image
from safetensors.torch import save
from torch import nn

from fersearch import api, cli, onnx_session
from fersearch.artifacts import file_digest
from fersearch.ensembles.model import RestoredEnsemble
from fersearch.errors import DataError, FersearchError, UnknownName, UsageError
from fersearch.export import checks, exporting, images
from fersearch.training.onnx_graph import write_graph


@pytest.fixture(scope="module", autouse=True)
def traced_once() -> Iterator[None]:
    """Let torch's exporter, which needs seconds, trace each model once for all tests of the file."""
    traced: dict[str, onnx.ModelProto] = {}

    def write(graph: nn.Module, shape: tuple[int, int], path: Path, metadata: Mapping[str, str], name: str) -> None:
        plain = [(key, value) for part in graph.modules() for key, value in vars(part).items() if np.isscalar(value)]
        weights = {key: tensor.contiguous() for key, tensor in graph.state_dict().items()}
        key = hashlib.sha256(f"{graph} {plain} {shape} {name}".encode() + save(weights)).hexdigest()
        if key not in traced:
            write_graph(graph, shape, path, metadata, name)
            traced[key] = onnx.load(path)
            return
        onnx.helper.set_model_props(traced[key], dict(metadata))
        onnx.save(traced[key], path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "write_graph", write)
        yield


@pytest.fixture
def folder(home_with_study: Path, pulled: Path, tmp_path: Path) -> Path:
    """A copy of a pulled checkpoint, in a home that has its study."""
    shutil.copytree(pulled, tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture(scope="module")
def exported(pulled: Path, small_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported model in a folder of its own. Read only."""
    out = tmp_path_factory.mktemp("exported") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERSEARCH_HOME", str(small_home))
        api.export_checkpoint(pulled, out=out)
    return out


@pytest.fixture
def face(tmp_path: Path) -> Path:
    noise = np.random.default_rng(3).integers(0, 256, (60, 50), np.uint8)
    Image.fromarray(noise).save(tmp_path / "face.png")
    return tmp_path / "face.png"


def card(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "card.json").read_text())
    return read


def test_the_folder_has_the_file_its_card_and_what_to_know_of_it(exported: Path, pulled: Path) -> None:
    assert sorted(path.name for path in exported.iterdir()) == ["README.md", "card.json", "model.onnx"]
    entry = card(exported)["onnx"]
    assert entry["digest"] == file_digest(exported / "model.onnx")
    assert entry["parity"]["max_difference"] < 1e-5
    assert (entry["parity"]["parity_on"], entry["parity"]["n"]) == ("valid", 120)
    assert (entry["latency"]["runs"], entry["latency"]["batch"], entry["latency"]["threads"]) == (200, 1, 1)
    assert entry["bytes"] == (exported / "model.onnx").stat().st_size
    metadata = onnx_session.session_of(exported / "model.onnx").get_modelmeta().custom_metadata_map
    assert json.loads(metadata["classes"]) == card(pulled)["class_names"]
    assert metadata["licence"] == card(pulled)["licence"]
    assert {"preprocessing", "dataset", "card_sha256"} <= set(metadata)


def test_predictions_equal_the_models_and_need_no_torch(exported: Path, pulled: Path, face: Path) -> None:
    (ours,), (theirs,) = api.predict(exported, [face]), api.predict(pulled, [face])
    assert ours.label == theirs.label
    assert list(ours.probabilities.values()) == pytest.approx(list(theirs.probabilities.values()), abs=1e-5)
    code = (
        "import sys; from fersearch import cli; "
        f"assert cli.run(['predict', {str(exported)!r}, {str(face)!r}]) == 0; "
        "sys.exit(any(name in sys.modules for name in ('torch', 'ray', 'optuna', 'sqlalchemy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_the_readme_has_a_model_cards_head_and_its_code_runs(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import ModelCard

    text = (exported / "README.md").read_text()
    head = ModelCard(text).data.to_dict()
    assert (head["library_name"], head["pipeline_tag"]) == ("fersearch", "image-classification")
    assert {"f1_macro", "accuracy"} <= {result["type"] for result in head["model-index"][0]["results"][0]["metrics"]}
    assert "Article 5(1)(f) of the EU AI Act" in text
    assert "120 validation images" in text
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "onnxruntime" in block]
    assert set(re.findall(r"^import (\w+)", code, re.MULTILINE)) == {"json", "numpy", "onnxruntime"}
    assert len(code.splitlines()) <= 10
    monkeypatch.chdir(exported)
    space: dict[str, Any] = {}
    exec(code, space)
    assert space["probabilities"].sum() == pytest.approx(1, abs=1e-5)
    assert len(space["classes"]) == space["probabilities"].shape[1]


def test_a_pulled_folder_has_a_readme_without_the_file(pulled: Path) -> None:
    text = (pulled / "README.md").read_text()
    assert "## Limits" in text
    assert "onnxruntime" not in text


def test_another_file_than_the_card_speaks_of_is_refused(exported: Path, face: Path, tmp_path: Path) -> None:
    shutil.copytree(exported, tmp_path / "changed")
    (tmp_path / "changed" / "model.onnx").write_bytes(b"another")
    with pytest.raises(FersearchError, match=r"is not the file that card\.json names"):
        api.predict(tmp_path / "changed", [face])
    (tmp_path / "changed" / "model.onnx").unlink()
    with pytest.raises(FersearchError, match=r"model\.onnx is missing"):
        api.predict(tmp_path / "changed", [face])


def test_a_file_with_different_predictions_is_not_stored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    real = onnx_session.run
    monkeypatch.setattr(onnx_session, "run", lambda session, pixels: real(session, pixels) * 0.999)
    with pytest.raises(FersearchError, match="predicts differently: probabilities differ by"):
        api.export_checkpoint(folder)
    monkeypatch.setattr(onnx_session, "run", lambda session, pixels: real(session, pixels)[:, ::-1])
    with pytest.raises(FersearchError, match="predicts differently"):
        api.export_checkpoint(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_without_its_data_generated_images_are_compared_and_noted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(*_: object) -> None:
        raise DataError("the dataset is not here", "name it")

    monkeypatch.setattr(images, "of_split", gone)
    assert cli.run(["checkpoint", "export", str(folder)]) == 0
    assert "on 256 generated images" in " ".join(capsys.readouterr().out.split())
    assert card(folder)["onnx"]["parity"]["parity_on"] == "generated"
    with pytest.raises(UsageError, match="--quantize needs the images that the model was trained on") as caught:
        api.export_checkpoint(folder, quantize="int8")
    assert caught.value.hint == "name them with --data"
    with pytest.raises(DataError, match="the dataset is not here"):
        api.export_checkpoint(folder, data=folder)


def test_eight_bits_are_judged_by_what_they_cost(folder: Path, tmp_path: Path, face: Path) -> None:
    made = api.export_checkpoint(folder, quantize="int8", max_loss=1.0, out=tmp_path / "small")
    result = made.entry["quantization"]
    assert made.path.name == card(tmp_path / "small")["onnx"]["file"] == "model.int8.onnx"
    assert made.entry["bytes"] < (folder / "model.safetensors").stat().st_size / 2
    assert (result["n"], result["calibrated_on"]) == (120, 200)
    assert abs(result["f1_macro"] - result["f1_macro_before"]) < 0.2
    assert api.predict(tmp_path / "small", [face])[0].label in card(folder)["class_names"]
    with pytest.raises(FersearchError, match=r"int8 quantisation costs .* of macro F1 on validation .* more than -1"):
        api.export_checkpoint(folder, quantize="int8", max_loss=-1.0, out=tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_what_cannot_be_exported_says_why(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a file of weights\n  name a folder for the model with -o DIR"):
        api.export_checkpoint(folder / "model.safetensors")
    with pytest.raises(UnknownName, match="unknown format 'onxx'"):
        api.export_checkpoint(folder, format="onxx")
    with pytest.raises(UnknownName, match="unknown quantization 'int4'"):
        api.export_checkpoint(folder, quantize="int4")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").touch()
    with pytest.raises(UsageError, match="mine exists"):
        api.export_checkpoint(folder, out=tmp_path / "mine")
    with pytest.raises(UsageError, match="mine is not a pulled checkpoint"):
        api.export_checkpoint(folder, out=tmp_path / "mine", force=True)
    (folder / "ensemble.json").touch()
    with pytest.raises(FersearchError, match=r"ensemble.json is not an ensemble of fersearch"):
        exporting.export(folder, exporting.ExportRequest())


@pytest.mark.slow
def test_an_ensemble_is_one_file_that_predicts_what_its_members_do_together(
    home_with_study: Path, tmp_path: Path, face: Path
) -> None:
    made = api.make_ensemble(["small"], tmp_path / "ensemble", method="stacking", size=3, metric="log_loss")
    (before,) = api.predict(made.path, [face])
    exported = api.export_checkpoint(made.path, out=tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["README.md", "ensemble.json", "model.onnx"]
    assert (exported.entry["parity"]["parity_on"], exported.entry["parity"]["n"]) == ("valid", 120)
    (after,) = api.predict(tmp_path / "out", [face])
    assert after.label == before.label
    assert list(after.probabilities.values()) == pytest.approx(list(before.probabilities.values()), abs=1e-5)
    metadata = onnx_session.session_of(exported.path).get_modelmeta().custom_metadata_map
    assert metadata["study"].startswith("ensemble by stacking of small trial ")
    readme = (tmp_path / "out" / "README.md").read_text()
    assert "Its members are combined by stacking. On 120 validation images, which also selected the members" in readme
    small = api.export_checkpoint(made.path, quantize="int8", max_loss=1.0)
    assert {"ensemble.json", "model.int8.onnx", "README.md"} < {path.name for path in made.path.iterdir()}
    assert small.entry["bytes"] < exported.entry["bytes"] / 2
    assert small.entry["quantization"]["n"] == 120
    (rounded,) = api.predict(made.path, [face])
    assert rounded.probabilities != after.probabilities
    assert list(rounded.probabilities.values()) == pytest.approx(list(after.probabilities.values()), abs=0.2)
    assert api.evaluate(made.path).n == 120  # by its members, which are still there


def test_images_on_which_rounding_decides_a_vote_are_left_out_and_counted() -> None:
    pixels = np.zeros((3, 1, 4, 4), np.uint8)
    shares = np.array([[0.9, 0.1], [0.50001, 0.49999], [0.2, 0.8]], np.float32)
    ensemble = Mock(spec=RestoredEnsemble)
    ensemble.combination = Mock(method="vote")
    ensemble.members = [Mock(probabilities=lambda _: shares), Mock(probabilities=lambda _: shares[[0, 0, 2]])]
    sure = exporting._comparable(ensemble, pixels)
    assert sure.tolist() == [True, False, True]
    result = checks.parity(shares[sure], shares[sure], "valid", left_out=1)
    assert (result.n, result.left_out) == (2, 1)
    ensemble.combination = Mock(method="mean")
    assert exporting._comparable(ensemble, pixels).all()


def test_a_checkpoint_is_pulled_and_exported_at_once(
    home_with_study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert cli.run(["checkpoint", "pull", "small", "--format", "onnx", "-o", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == str(out)
    assert {"model.onnx", "model.safetensors"} <= {path.name for path in out.iterdir()}
    assert cli.run(["checkpoint", "export", str(out), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["path"], record["quantization"]) == (str(out / "model.onnx"), None)
    assert cli.run(["evaluate", str(out), "--json"]) == 0  # by the weights, which are still there
