"""Every way a trial can end is an outcome, and a trial that ends well leaves a checkpoint."""

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fersearch_architectures.cnn import Cnn
from fersearch_metrics.measured import Latency

from fersearch import onnx_session
from fersearch import registry as registries
from fersearch.artifacts import Artifacts
from fersearch.data.arrays import Prepared, load
from fersearch.plugins import PluginFile
from fersearch.registry import Registry
from fersearch.training.attempt import run_trial
from fersearch.training.batches import Pixels
from fersearch.training.checkpoint import load_model, read_checkpoint
from fersearch.training.evaluate import predict
from fersearch.training.request import TrialRequest
from fersearch.trial import Decision, Epoch, Reason

RequestOf = Callable[..., TrialRequest]


def go_on(epoch: Epoch) -> Decision:
    return Decision.CONTINUE


def test_a_request_survives_json(request_of: RequestOf) -> None:
    file = PluginFile("plain.py", "0" * 64, "x = 1\n")
    request = request_of(plugins=(file,), limit=30, weights="imagenet")
    assert TrialRequest.from_json(json.loads(json.dumps(request.to_json()))) == request


def test_a_finished_trial_leaves_a_checkpoint_that_gives_its_metrics(request_of: RequestOf, registry: Registry) -> None:
    request = request_of({"augmentation": "standard"})
    epochs: list[Epoch] = []
    outcome = run_trial(request, lambda epoch: epochs.append(epoch) or Decision.CONTINUE, registry)
    assert (outcome.reason, outcome.message) == (Reason.DONE, "")
    assert outcome.kept_epoch == max(epochs, key=lambda epoch: (epoch.values["f1_macro"], -epoch.number)).number
    card, tensors = read_checkpoint(Artifacts(Path(request.artifacts)).open(outcome.checkpoint or ""))
    best = epochs[outcome.kept_epoch - 1]
    assert card["metrics"]["f1_macro"] == best.values["f1_macro"]
    assert card["metrics"]["train_seconds"] == epochs[-1].values["train_seconds"]
    loaded = load(registry.datasets["patterns"], Prepared.open(Path(request.prepared)), {}, request.protocol)
    model = load_model(card, tensors, Cnn())
    pixels = Pixels.of(loaded.images, card["mean"], card["std"], torch.device("cpu"))
    rows = pixels.rows(loaded.indices["valid"])
    called = predict(model, pixels, rows, 8, "float32").argmax(1).numpy()
    accuracy = np.mean(called == loaded.hard[loaded.indices["valid"]])
    assert accuracy == pytest.approx(best.values["accuracy"], abs=1e-6)


def test_the_card_says_all_that_is_needed(request_of: RequestOf, registry: Registry) -> None:
    request = request_of()
    outcome = run_trial(request, go_on, registry)
    card, _ = read_checkpoint(Artifacts(Path(request.artifacts)).open(outcome.checkpoint or ""))
    assert card["architecture"] == "cnn"
    assert card["params"] == request.params
    assert card["class_names"] == ["ring", "bar", "cross", "dot"]
    assert (card["channels"], card["image_size"], card["precision"]) == (1, 16, "float32")
    assert len(card["mean"]) == len(card["std"]) == 1
    assert card["dataset"]["name"] == "patterns"
    assert len(card["dataset"]["digest"]) == 64
    assert card["data"]["arrays"]["digest"] == card["dataset"]["digest"]
    assert card["data"]["seen"]["counts"] == {"train": 32, "valid": 16, "test": 0}
    assert card["data"]["seen"]["classes"] == card["class_names"]
    assert card["licence"] == "drawn for a test"
    assert card["protocol"]["split"] == "auto"
    assert card["versions"]["torch"] == torch.__version__
    assert (card["study"], card["trial"], card["epoch"]) == ("cnn-patterns", 7, outcome.kept_epoch)


def test_facts_tell_device_precision_and_the_time_to_the_first_step(request_of: RequestOf, registry: Registry) -> None:
    facts = run_trial(request_of(), go_on, registry).facts
    assert facts["device"] == "cpu"
    assert facts["precision"] == "float32"
    assert facts["torch"] == torch.__version__
    assert facts["resumed_from"] == 0
    assert 0 < facts["seconds_to_first_step"] < 60
    json.dumps(facts)


def test_a_stopped_trial_is_pruned_and_keeps_its_best_weights(request_of: RequestOf, registry: Registry) -> None:
    request = request_of()
    outcome = run_trial(request, lambda epoch: Decision.STOP if epoch.number == 2 else Decision.CONTINUE, registry)
    assert outcome.reason is Reason.PRUNED
    assert outcome.kept_epoch in (1, 2)
    assert Artifacts(Path(request.artifacts)).open(outcome.checkpoint or "").exists()


def test_an_interrupted_trial_goes_on_where_it_was(request_of: RequestOf, registry: Registry) -> None:
    whole: list[Epoch] = []
    run_trial(request_of(scratch=request_of().scratch + "-whole"), _collect(whole), registry)
    parts: list[Epoch] = []
    interrupt = lambda epoch: parts.append(epoch) or Decision.INTERRUPT  # noqa: E731
    first = run_trial(request_of(), interrupt, registry)
    assert (first.reason, first.checkpoint) == (Reason.INTERRUPTED, None)
    second = run_trial(request_of(attempt=2, recorded=1), _collect(parts), registry)
    assert second.reason is Reason.DONE
    assert second.facts["resumed_from"] == 1
    assert [epoch.values["f1_macro"] for epoch in parts] == [epoch.values["f1_macro"] for epoch in whole]
    assert [epoch.values["train_loss"] for epoch in parts] == [epoch.values["train_loss"] for epoch in whole]


def test_an_interruption_at_the_last_epoch_is_the_end(request_of: RequestOf, registry: Registry) -> None:
    last = lambda epoch: Decision.INTERRUPT if epoch.number == 4 else Decision.CONTINUE  # noqa: E731
    assert run_trial(request_of(), last, registry).reason is Reason.DONE


def test_a_diverged_trial_says_so(request_of: RequestOf, registry: Registry) -> None:
    outcome = run_trial(request_of({"learning_rate": 1e20, "batch_norm": False}), go_on, registry)
    assert outcome.reason is Reason.DIVERGED
    assert outcome.message.startswith("diverged: ")


class Broken(Cnn):
    """Builds as the test says."""

    def __init__(self, how: Callable[[Any], Any]) -> None:
        self.how = how

    def build(self, params: Any, task: Any) -> Any:
        return self.how(super().build(params, task))


def _raise(error: Exception) -> Any:
    raise error


class Infinite(torch.nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.new_full((len(images), 4), float("inf"))


def test_a_build_that_raises_is_an_error_that_names_the_architecture(request_of: RequestOf, registry: Registry) -> None:
    registry.architectures["cnn"] = Broken(lambda model: _raise(ValueError("width must be even")))
    outcome = run_trial(request_of(), go_on, registry)
    assert outcome.reason is Reason.ERROR
    assert outcome.message == "architecture 'cnn' cannot be built: ValueError: width must be even"
    assert "test_run_trial.py" in outcome.traceback


def test_a_wrong_output_shape_is_an_error_that_shows_both(request_of: RequestOf, registry: Registry) -> None:
    def shorten(model: Any) -> Any:
        model.head = torch.nn.Linear(84, 3)
        return model

    registry.architectures["cnn"] = Broken(shorten)
    outcome = run_trial(request_of(), go_on, registry)
    assert outcome.reason is Reason.ERROR
    assert "architecture 'cnn' returned (n, 3), expected (n, 4)" in outcome.message


def test_an_output_that_is_not_finite_diverges(request_of: RequestOf, registry: Registry) -> None:
    def swap(model: Any) -> Any:
        model.head = torch.nn.Sequential(model.head, Infinite())
        return model

    registry.architectures["cnn"] = Broken(swap)
    outcome = run_trial(request_of(), go_on, registry)
    assert outcome.reason is Reason.DIVERGED
    assert "the output of the untrained 'cnn' is not finite" in outcome.message


def test_an_image_too_small_for_the_network_is_an_error(request_of: RequestOf, registry: Registry) -> None:
    class Deep(Cnn):
        def build(self, params: Any, task: Any) -> Any:
            return torch.nn.Sequential(torch.nn.Conv2d(1, 4, 31), torch.nn.Flatten(), torch.nn.LazyLinear(4))

    registry.architectures["cnn"] = Deep()
    outcome = run_trial(request_of(), go_on, registry)
    assert outcome.reason is Reason.ERROR
    assert outcome.message.startswith("architecture 'cnn' fails on images (2, 1, 16, 16): RuntimeError: ")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_lack_of_memory_is_reported_with_its_figures(
    request_of: RequestOf, registry: Registry, error: Exception
) -> None:
    registry.architectures["cnn"] = Broken(lambda model: _raise(error))
    outcome = run_trial(request_of(), go_on, registry)
    assert outcome.reason is Reason.OOM
    assert outcome.message.startswith("out of memory at batch size 8: ")
    assert outcome.message.endswith("(the peak before was 0 MB)")


def test_more_memory_than_there_is_ends_as_out_of_memory(request_of: RequestOf, registry: Registry) -> None:
    registry.architectures["cnn"] = Broken(lambda model: torch.empty(2**60) and model)
    assert run_trial(request_of(), go_on, registry).reason is Reason.OOM


@pytest.mark.parametrize("where", ["best-1.pt", "checkpoint.safetensors", "artifacts"])
def test_a_full_disk_is_a_loss_that_leaves_no_half_file(
    request_of: RequestOf, registry: Registry, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    request = request_of()
    replace = Path.replace

    def full(self: Path, target: Path) -> Path:
        if where in str(target):
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)
    outcome = run_trial(request, go_on, registry)
    assert (outcome.reason, outcome.facts["lost"]) == (Reason.INTERRUPTED, "disk")
    assert outcome.message.startswith("disk full: no room for ")
    assert outcome.facts["lacking_disk"]["bytes"] > 0
    folders = [Path(request.scratch), Path(request.artifacts)]
    left = [path.name for folder in folders if folder.exists() for path in folder.iterdir()]
    assert not [name for name in left if where in name or name.startswith(".")]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"architecture": "cmm"}, "unknown architecture 'cmm'"),
        ({"device": "gpu"}, "unknown device 'gpu'"),
        ({"weights": "nowhere.pt"}, "weights 'nowhere.pt': no such file"),
        ({"prepared": "nowhere"}, "nowhere holds no prepared dataset"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_invalid_names_are_errors_of_the_trial(
    request_of: RequestOf, registry: Registry, fields: dict[str, str], message: str
) -> None:
    outcome = run_trial(request_of(**fields), go_on, registry)
    assert outcome.reason is Reason.ERROR
    assert message in outcome.message


def test_a_prepared_copy_of_other_content_is_refused(request_of: RequestOf, registry: Registry) -> None:
    request = request_of()
    digest = Prepared.open(Path(request.prepared)).digest
    outcome = run_trial(request_of(prepared_digest="0" * 64), go_on, registry)
    assert outcome.reason is Reason.ERROR
    assert outcome.message.startswith(f"{request.prepared} does not hold the data that the driver prepared")
    assert run_trial(request_of(prepared_digest=digest), lambda _: Decision.STOP, registry).reason is Reason.PRUNED


def test_a_failing_report_is_not_the_trials_fault(request_of: RequestOf, registry: Registry) -> None:
    with pytest.raises(ConnectionError):
        run_trial(request_of(), lambda epoch: _raise(ConnectionError("the store is gone")), registry)


def test_a_failing_metric_is_named(request_of: RequestOf, registry: Registry) -> None:
    registry.metrics["accuracy"].compute = lambda evaluation: _raise(KeyError("x"))  # type: ignore[method-assign]
    outcome = run_trial(request_of(), go_on, registry)
    failed = "metric 'accuracy' of plugin fersearch_metrics.quality failed: KeyError: 'x'"
    assert outcome.message == f"{failed}\n  report it to its author"


def test_a_single_plugin_file_is_loaded_from_the_request(request_of: RequestOf) -> None:
    source = (
        "from fersearch import hookimpl\n"
        "from fersearch_architectures.cnn import Cnn\n"
        "class Other(Cnn):\n    name = 'other'\n"
        "@hookimpl\ndef register_architectures(register):\n    register(Other())\n"
    )
    request = request_of(architecture="other", plugins=(PluginFile("other.py", "ab" * 32, source),))
    result = registries.load(request.plugins)
    assert "other" in result.architectures
    outcome = run_trial(request, go_on)
    assert "unknown dataset 'patterns'" in outcome.message


def test_bf16_on_a_cpu_is_used_on_request(request_of: RequestOf, registry: Registry) -> None:
    assert run_trial(request_of(precision="bf16"), go_on, registry).facts["precision"] == "bf16"
    assert run_trial(request_of(precision="auto"), go_on, registry).facts["precision"] == "float32"


def _collect(epochs: list[Epoch]) -> Callable[[Epoch], Decision]:
    return lambda epoch: epochs.append(epoch) or Decision.CONTINUE


def test_the_time_of_an_image_may_be_that_of_the_exported_model(
    request_of: RequestOf, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed: list[str] = []

    def session_of(file: Path, threads: int) -> object:
        timed.append(file.name)
        return onnx_session.session_of(file, threads)

    monkeypatch.setattr("fersearch.training.onnx_graph.session_of", session_of)
    reported: list[Epoch] = []

    def report(epoch: Epoch) -> Decision:
        reported.append(epoch)
        return Decision.CONTINUE

    timing = Registry(registry.architectures, registry.datasets, {**registry.metrics, "latency_ms": Latency()})
    assert run_trial(request_of({"epochs": 2}, latency_on="onnx"), report, timing).reason is Reason.DONE
    first, second = (epoch.values["latency_ms"] for epoch in reported)
    assert 0 < first == second
    assert timed == ["model.onnx"]  # once a trial
