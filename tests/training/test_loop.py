"""The loop learns, and goes on after a stop as if there had been none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fersearch_architectures.cnn import Cnn
from fersearch_metrics.averages import F1Macro
from fersearch_metrics.measured import PeakMemory, TrainSeconds
from fersearch_metrics.quality import Accuracy
from torch import nn

from fersearch.components import trained_task
from fersearch.data.arrays import Loaded
from fersearch.study import Objective
from fersearch.training.batches import Pixels
from fersearch.training.context import TrainingContext
from fersearch.training.evaluate import validate
from fersearch.training.loop import train
from fersearch.training.losses import criterion
from fersearch.training.numerics import Diverged
from fersearch.training.resume import Progress
from fersearch.training.snapshots import States
from fersearch.trial import Decision, Epoch

CPU = torch.device("cpu")
METRICS = {metric.name: metric for metric in (Accuracy(), F1Macro(), TrainSeconds(), PeakMemory())}
F1 = Objective("f1_macro", "max")
Make = Callable[..., Loaded]


def start(loaded: Loaded, params: dict[str, Any], scratch: Path, **options: Any) -> tuple[nn.Module, Any]:
    device = options.setdefault("device", CPU)
    torch.manual_seed(0)
    model = options.pop("model", None) or Cnn().build(params, trained_task(loaded.task, params)).to(device)
    settings = {"metrics": METRICS, "objective": F1, "seed": 3, "scratch": scratch, **options}
    return model, train(model, loaded, params, TrainingContext(**settings))


def quality(epochs: list[Epoch]) -> list[tuple[Any, ...]]:
    """What does not depend on the clock."""
    names = ("accuracy", "f1_macro", "train_loss", "valid_loss")
    return [(epoch.number, *(epoch.values[name] for name in names), epoch.confusion) for epoch in epochs]


def test_the_loop_overfits_32_drawn_patterns(patterns: Make, base: dict[str, Any], tmp_path: Path) -> None:
    _, epochs = start(patterns(48), {**base, "epochs": 12}, tmp_path)
    last = list(epochs)[-1]
    assert last.values["train_loss"] < 0.05
    assert last.values["accuracy"] == 1.0


def test_every_epoch_tells_metrics_losses_confusion_and_its_own_seconds(
    patterns: Make, base: dict[str, Any], tmp_path: Path
) -> None:
    _, epochs = start(patterns(48), base, tmp_path)
    reported = list(epochs)
    assert [epoch.number for epoch in reported] == [1, 2, 3, 4]
    assert all({*METRICS, "train_loss", "train_accuracy", "valid_loss"} == set(epoch.values) for epoch in reported)
    assert reported[-1].values["train_accuracy"] > reported[0].values["train_accuracy"]
    assert all(sum(map(sum, epoch.confusion or ())) == 16 for epoch in reported)
    assert reported[-1].values["train_seconds"] == pytest.approx(sum(epoch.seconds for epoch in reported))


def test_the_same_seed_gives_the_same_epochs_and_another_seed_others(
    patterns: Make, base: dict[str, Any], tmp_path: Path
) -> None:
    params = {**base, "augmentation": "strong", "dropout": 0.3}
    runs = [quality(list(start(patterns(48), params, tmp_path, seed=seed)[1])) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize(
    "changed",
    [
        {"optimizer": "sgd", "scheduler": "onecycle", "warmup_share": 0.3},
        {"optimizer": "adamw", "learning_rate": 0.003, "scheduler": "cosine"},
        {"optimizer": "rmsprop", "learning_rate": 0.003, "scheduler": "none"},
        {"scheduler": "plateau", "plateau_factor": 0.5, "plateau_patience": 0},
        {"optimizer": "adam", "learning_rate": 0.003, "scheduler": "step", "step_factor": 0.1, "step_count": 2},
        {"optimizer": "nadam", "scheduler": "cosine", "ema": 0.9, "clip_norm": 0.5, "warmup_epochs": 2.5},
        {
            "scheduler": "plateau",
            "plateau_factor": 0.5,
            "plateau_patience": 0,
            "warmup_epochs": 1.5,
            "sampling": "smote",
        },
        {"scheduler": "none", "crop": 16, "tta": "ten_crop", "sampling": "weighted", "ema": 0.5},
    ],
    ids=lambda changed: "-".join(map(str, changed.values())),
)
@pytest.mark.parametrize("stop", [1, 3])
def test_a_resumed_trial_equals_one_without_a_stop(
    patterns: Make, base: dict[str, Any], tmp_path: Path, changed: dict[str, Any], stop: int
) -> None:
    loaded = patterns(48, soft=True, size=20 if "crop" in changed else 16)
    params = {**base, "epochs": 5, "augmentation": "strong", "dropout": 0.2, "target": "probability", **changed}
    whole_model, whole = start(loaded, params, tmp_path / "whole")
    expected = quality(list(whole))
    _, first = start(loaded, params, tmp_path / "parts")
    seen = []
    for epoch in first:
        seen.append(epoch)
        if epoch.number == stop:
            with pytest.raises(StopIteration):
                first.send(Decision.INTERRUPT)
    second_model = Cnn().build(params, trained_task(loaded.task, params))
    progress = Progress()
    _, second = start(loaded, params, tmp_path / "parts", model=second_model, resume=True, progress=progress)
    seen += list(second)
    assert quality(seen) == expected
    for name, tensor in whole_model.state_dict().items():
        assert torch.equal(tensor, second_model.state_dict()[name]), name
    assert progress.seconds == pytest.approx(sum(epoch.seconds for epoch in seen))
    best = max(seen, key=lambda epoch: (epoch.values["f1_macro"], -epoch.number))
    assert progress.best_epoch == best.number
    restored = [States(tmp_path / part).best(best.number) for part in ("whole", "parts")]
    assert all(torch.equal(restored[0][name], restored[1][name]) for name in restored[0])


def test_a_killed_trial_goes_on_from_the_last_state_that_was_due(
    patterns: Make, base: dict[str, Any], tmp_path: Path
) -> None:
    loaded = patterns(48)
    expected = quality(list(start(loaded, base, tmp_path / "whole")[1]))
    _, killed = start(loaded, base, tmp_path / "killed", save_every=0.0)
    next(killed)
    next(killed)
    killed.close()
    _, resumed = start(loaded, base, tmp_path / "killed", resume=True)
    assert quality(list(resumed)) == expected[2:]


def test_states_are_saved_no_more_often_than_they_are_due(patterns: Make, base: dict[str, Any], tmp_path: Path) -> None:
    saved: list[bool] = []
    epochs = list(start(patterns(48), base, tmp_path, on_snapshot=lambda: saved.append(True))[1])
    assert len(saved) == (sum(epoch.seconds for epoch in epochs) > 1)  # on a busy machine the first one may be due


def test_only_the_best_weights_that_a_state_speaks_of_stay(
    patterns: Make, base: dict[str, Any], tmp_path: Path
) -> None:
    list(start(patterns(48), base, tmp_path, save_every=0.0)[1])
    assert len(list(tmp_path.glob("best-*.pt"))) == 1
    assert not list(tmp_path.glob(".*"))


def test_the_best_epoch_by_the_objective_is_stored(patterns: Make, base: dict[str, Any], tmp_path: Path) -> None:
    progress = Progress()
    worst = Objective("accuracy", "min")
    _, epochs = start(patterns(48), base, tmp_path, objective=worst, progress=progress)
    reported = list(epochs)
    assert progress.best_values["accuracy"] == min(epoch.values["accuracy"] for epoch in reported)


def test_an_endless_learning_rate_diverges(patterns: Make, base: dict[str, Any], tmp_path: Path) -> None:
    params = {**base, "learning_rate": 1e20, "batch_norm": False, "epochs": 6}
    with pytest.raises(Diverged, match="is not finite"):
        list(start(patterns(48), params, tmp_path)[1])


def test_an_undefined_objective_diverges_but_another_metric_may_be_undefined(
    patterns: Make, base: dict[str, Any], tmp_path: Path
) -> None:
    class Undefined(Accuracy):
        name = "undefined"

        def compute(self, evaluation: Any) -> float:
            return float("nan")

    metrics = {**METRICS, "undefined": Undefined()}
    assert len(list(start(patterns(48), base, tmp_path, metrics=metrics)[1])) == 4
    with pytest.raises(Diverged, match="undefined is not finite"):
        list(start(patterns(48), base, tmp_path, metrics=metrics, objective=Objective("undefined", "max"))[1])


def test_frozen_stages_do_not_move(patterns: Make, base: dict[str, Any], tmp_path: Path) -> None:
    from fersearch.training.freezing import freeze

    params = {**base, "freeze": "first_2", "frozen_batch_norm": "fixed"}
    loaded = patterns(48)
    model = Cnn().build(params, loaded.task)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    fixed = freeze(Cnn(), model, params)
    list(start(loaded, params, tmp_path, model=model, fixed=fixed)[1])
    moved = {name.split(".")[0] for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == {"fc1", "fc2", "head"}


def test_bf16_on_a_cpu_learns_too(patterns: Make, base: dict[str, Any], tmp_path: Path) -> None:
    _, epochs = start(patterns(48), {**base, "epochs": 10}, tmp_path, precision="bf16")
    assert list(epochs)[-1].values["accuracy"] > 0.9


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_repeats_itself_and_counts_its_memory(patterns: Make, base: dict[str, Any], tmp_path: Path) -> None:
    params = {**base, "augmentation": "strong", "epochs": 8}
    device = torch.device("cuda:0")
    runs = [list(start(patterns(48), params, tmp_path, device=device, precision="bf16")[1]) for _ in range(2)]
    assert quality(runs[0]) == quality(runs[1])
    assert runs[0][-1].values["peak_memory_mb"] > 0.1


def test_unreported_epochs_are_reported_again(patterns: Make, base: dict[str, Any], tmp_path: Path) -> None:
    params, loaded = {**base, "epochs": 4}, patterns(48)
    _, first = start(loaded, params, tmp_path, save_every=0.0)
    reported_first = [next(first) for _ in range(3)]
    first.close()
    _, second = start(loaded, params, tmp_path, resume=True, recorded=lambda: 1, save_every=0.0)
    reported = list(second)
    assert [epoch.number for epoch in reported] == [2, 3, 4]
    assert reported[:2] == reported_first[1:]
    _, third = start(loaded, params, tmp_path, resume=True, recorded=None)
    assert list(third) == []


def test_an_interruption_while_old_epochs_are_reported_again_trains_nothing(
    patterns: Make, base: dict[str, Any], tmp_path: Path
) -> None:
    loaded = patterns(48)
    _, first = start(loaded, base, tmp_path, save_every=0.0)
    reported = [next(first), next(first)]
    first.close()
    _, again = start(loaded, base, tmp_path, resume=True, recorded=lambda: 1)
    assert next(again) == reported[1]
    with pytest.raises(StopIteration):
        again.send(Decision.INTERRUPT)


def test_with_an_average_the_average_is_evaluated_and_stored(
    patterns: Make, base: dict[str, Any], tmp_path: Path
) -> None:
    loaded, params = patterns(48), {**base, "ema": 0.99, "epochs": 2}
    progress = Progress()
    model, epochs = start(loaded, params, tmp_path, progress=progress)
    reported = list(epochs)
    restored = Cnn().build(params, loaded.task)
    restored.load_state_dict(States(tmp_path).best(progress.best_epoch))
    pixels = Pixels.of(loaded.images, loaded.mean, loaded.std, CPU)
    judged = validate(restored, loaded, pixels, "valid", 8, criterion(params), "float32")
    best = reported[progress.best_epoch - 1].values
    assert (judged.loss, best["valid_loss"]) == (pytest.approx(best["valid_loss"]), pytest.approx(judged.loss))
    assert not torch.equal(restored.state_dict()["head.weight"], model.state_dict()["head.weight"])


def test_a_clipped_gradient_moves_the_weights_no_further_than_its_norm(
    patterns: Make, base: dict[str, Any], tmp_path: Path
) -> None:
    params = {**base, "epochs": 1, "batch_size": 64, "momentum": 0.0, "weight_decay": 0.0, "learning_rate": 1.0}
    for norm, low, high in ((0.01, 0.0099, 0.0101), (0.0, 0.1, 1000.0)):
        model = Cnn().build(params, patterns(48).task)
        before = [weight.detach().clone() for weight in model.parameters()]
        list(start(patterns(48), {**params, "clip_norm": norm}, tmp_path, model=model)[1])
        moved = torch.stack([(a - b).norm() for a, b in zip(model.parameters(), before, strict=True)]).norm()
        assert low < moved < high


@pytest.mark.parametrize("sampling", ["undersample", "oversample", "smote"])
def test_the_training_loss_is_the_mean_over_the_images_that_an_epoch_shows(
    patterns: Make, base: dict[str, Any], tmp_path: Path, sampling: str
) -> None:
    loaded = patterns(96)
    rows = loaded.indices["train"]
    loaded.indices["train"] = np.concatenate((rows[loaded.hard[rows] == 0], rows[loaded.hard[rows] == 1][:2]))
    still = {**base, "learning_rate": 1e-7, "weight_decay": 0.0, "epochs": 1, "batch_norm": False}
    plain, sampled = (
        next(start(loaded, {**still, "sampling": rule}, tmp_path)[1]).values["train_loss"]
        for rule in ("shuffle", sampling)
    )
    assert sampled == pytest.approx(plain, rel=0.1)
