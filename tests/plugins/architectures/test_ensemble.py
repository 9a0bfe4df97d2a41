from pathlib import Path
from typing import Any

import pytest
import torch
from fersearch_architectures import resnet, vgg
from fersearch_architectures.cnn import Cnn
from fersearch_architectures.ensemble import Ensemble, EnsembleMean, EnsembleStack, EnsembleVote
from fersearch_architectures.resnet import ResNet18
from fersearch_architectures.vgg import Vgg19
from torch.nn.functional import softmax

from fersearch import Task
from fersearch.testing import ArchitectureSuite
from fersearch.training.summary import count_on_meta
from fersearch.training.weights import start_from

SEVEN = Task(tuple("abcdefg"))
SMALL = Task(("a", "b", "c"), 1, 16)
PARAMS: dict[str, Any] = {"dropout": 0.0}
KINDS = [EnsembleStack, EnsembleMean, EnsembleVote]


class TestEnsembleStack(ArchitectureSuite):
    architecture = EnsembleStack()


class TestEnsembleMean(ArchitectureSuite):
    architecture = EnsembleMean()


class TestEnsembleVote(ArchitectureSuite):
    architecture = EnsembleVote()


class OfSmall:
    """Three networks small enough to run."""

    bases = (Cnn(), Cnn(), Cnn())
    space = Cnn.space


class SmallStack(OfSmall, EnsembleStack): ...


class SmallMean(OfSmall, EnsembleMean): ...


class SmallVote(OfSmall, EnsembleVote): ...


class TestSmallStack(ArchitectureSuite):
    architecture = SmallStack()
    tasks = (SMALL,)


class TestSmallMean(ArchitectureSuite):
    architecture = SmallMean()
    tasks = (SMALL,)


class TestSmallVote(ArchitectureSuite):
    architecture = SmallVote()
    tasks = (SMALL,)


def logits_of(network: Ensemble, train: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """The class shares (n, 3 networks, classes) of the networks, and the ensemble's logits (n, classes)."""
    torch.manual_seed(1)
    model = network.build(PARAMS, SMALL).train(train)
    images = 5 * torch.randn(64, 1, 16, 16)
    shares = softmax(torch.stack([base.eval()(images) for base in model.bases.networks], 1), 2)
    return shares, model(images)


@pytest.mark.parametrize("kind", KINDS)
def test_its_bases_are_resnet18_and_the_compact_vgg19(kind: type[Ensemble]) -> None:
    bases = 11_173_831 + 20_037_831
    assert count_on_meta(kind(), PARAMS, SEVEN)["total"] == bases + (105 if kind is EnsembleStack else 0)


def test_all_but_last_trains_the_105_weights_of_the_stacks_head() -> None:
    assert count_on_meta(EnsembleStack(), {**PARAMS, "freeze": "all_but_last"}, SEVEN)["trainable"] == 105


def test_all_but_last_trains_both_classifiers_of_the_mean() -> None:
    trained = count_on_meta(EnsembleMean(), {**PARAMS, "freeze": "all_but_last"}, SEVEN)["trainable"]
    assert trained == 2 * (512 * 7 + 7)


def test_the_stack_is_a_linear_layer_on_both_networks_logits() -> None:
    model = SmallStack().build(PARAMS, SMALL).eval()
    images = torch.randn(4, 1, 16, 16)
    beside = torch.cat([base(images) for base in model.bases.networks], 1)
    assert beside.shape == (4, 9)
    assert torch.equal(model(images), beside @ model.head.weight.T + model.head.bias)


def test_the_mean_says_the_mean_share() -> None:
    shares, logits = logits_of(SmallMean())
    assert torch.allclose(softmax(logits, 1), shares.mean(1), atol=1e-6)


def test_the_vote_is_won_by_the_majority_and_a_tie_by_the_mean_share() -> None:
    shares, logits = logits_of(SmallVote())
    called = torch.nn.functional.one_hot(shares.argmax(2), 3).sum(1)
    clear = called.max(1).values > 1
    assert clear.any()
    assert torch.equal(logits.argmax(1)[clear], called.argmax(1)[clear])
    assert torch.allclose(softmax(logits, 1), called / 3, atol=1e-3)


def test_a_tied_vote_is_won_by_the_mean_share() -> None:
    from fersearch_architectures._beside import Vote

    sure, unsure = [0.0, 5.0, 0.0], [0.1, 0.0, 0.0]
    assert Vote(3).eval()(torch.tensor([sure + unsure])).argmax() == 1
    assert Vote(3).eval()(torch.tensor([unsure + sure])).argmax() == 1


def test_a_unanimous_vote_leaves_no_class_at_nought() -> None:
    from fersearch_architectures._beside import Vote

    logits = Vote(3).eval()(torch.tensor([[200.0, 0.0, 0.0, 200.0, 0.0, 0.0]]))
    assert torch.isfinite(logits).all()
    assert logits.argmax() == 0


def test_a_vote_trains_as_a_mean_does() -> None:
    (_, vote), (_, mean) = logits_of(SmallVote(), train=True), logits_of(SmallMean(), train=True)
    assert torch.equal(vote, mean)
    assert vote.requires_grad


def test_imagenet_weights_go_to_both_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task(SEVEN.class_names, 1, 32)
    torch.manual_seed(3)
    first, second = (base.build(PARAMS, task).state_dict() for base in (ResNet18(), Vgg19()))
    monkeypatch.setattr(resnet, "imagenet", lambda name: dict(first))
    monkeypatch.setattr(vgg, "imagenet", lambda name: dict(second))
    model = EnsembleStack().build(PARAMS, task)
    start_from(EnsembleStack(), model, "imagenet", PARAMS, task)
    assert torch.equal(model.bases.networks[0].conv1.weight, first["conv1.weight"])
    assert torch.equal(model.bases.networks[1].features[0].weight, second["features.0.weight"])


@pytest.mark.parametrize("kind", [SmallStack, SmallMean])
def test_a_file_of_the_whole_ensemble_serves(kind: type[Ensemble], tmp_path: Path) -> None:
    network = kind()
    trained, other = network.build(PARAMS, SMALL).eval(), network.build(PARAMS, SMALL).eval()
    torch.save(trained.state_dict(), tmp_path / "ensemble.pt")
    start_from(network, other, str(tmp_path / "ensemble.pt"), PARAMS, SMALL)
    images = torch.randn(2, 1, 16, 16)
    assert torch.equal(other(images), trained(images))
