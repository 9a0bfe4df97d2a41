"""Losses against their formulas, targets against what they promise."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fersearch.errors import UnknownName
from fersearch.training.losses import Targets, class_weights, criterion

LOGITS = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
HARD = torch.tensor([0, 1, 2, 3, 1, 1])
SOFT = torch.softmax(torch.randn(6, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64), 1)
WEIGHTS = torch.tensor([0.5, 1.0, 2.0, 4.0], dtype=torch.float64)


def test_cross_entropy_takes_classes_and_shares() -> None:
    loss = criterion({"loss": "cross_entropy", "label_smoothing": 0.0})
    one_hot = F.one_hot(HARD, 4).double()
    assert loss(LOGITS, HARD).item() == pytest.approx(loss(LOGITS, one_hot).item())
    expected = -(SOFT * LOGITS.log_softmax(1)).sum(1).mean()
    assert loss(LOGITS, SOFT).item() == pytest.approx(expected.item())


def test_label_smoothing_is_that_of_torch() -> None:
    loss = criterion({"loss": "cross_entropy", "label_smoothing": 0.2}, WEIGHTS)
    assert loss(LOGITS, HARD) == F.cross_entropy(LOGITS, HARD, WEIGHTS, label_smoothing=0.2)


@pytest.mark.parametrize("targets", [HARD, SOFT], ids=["classes", "shares"])
def test_focal_without_gamma_is_cross_entropy(targets: torch.Tensor) -> None:
    assert criterion({"loss": "focal", "focal_gamma": 0.0})(LOGITS, targets).item() == pytest.approx(
        criterion({"loss": "cross_entropy"})(LOGITS, targets).item()
    )


def test_focal_follows_its_formula() -> None:
    p = LOGITS.softmax(1)
    expected = -(SOFT * WEIGHTS * (1 - p) ** 2 * p.log()).sum(1).mean()
    assert criterion({"loss": "focal", "focal_gamma": 2.0}, WEIGHTS)(LOGITS, SOFT).item() == pytest.approx(
        expected.item()
    )


def test_focal_has_finite_gradients_where_the_network_is_sure() -> None:
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    criterion({"loss": "focal", "focal_gamma": 0.5})(logits, torch.tensor([0])).backward()
    assert torch.isfinite(logits.grad).all()  # type: ignore[arg-type]


def test_multi_target_accepts_any_one_of_the_target_classes() -> None:
    classes = torch.tensor([[1.0, 1.0, 0.0, 0.0]], dtype=torch.float64)
    loss = criterion({"target": "multi_target", "loss": "focal", "focal_gamma": 1.0})
    p = LOGITS[:1].softmax(1)
    expected = -torch.log(((0.999 * classes + 0.001) * p).max(1).values)
    assert loss(LOGITS[:1], classes).item() == pytest.approx(expected.item())
    sure = torch.tensor([[0.0, 50.0, 0.0, 0.0]], dtype=torch.float64)
    assert loss(sure, classes).item() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
def test_a_weighted_loss_takes_shares_of_one_class_as_that_class(loss: str) -> None:
    one_hot = F.one_hot(HARD, 4).double()
    weighted = criterion({"loss": loss, "focal_gamma": 1.0}, WEIGHTS)
    each = torch.stack([weighted(LOGITS[i : i + 1], one_hot[i : i + 1]) for i in range(6)])
    plain = criterion({"loss": loss, "focal_gamma": 1.0})
    alone = torch.stack([plain(LOGITS[i : i + 1], HARD[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(each, alone * WEIGHTS[HARD])


def test_a_loss_of_scale_ten_is_that_of_ten_raw_votes() -> None:
    votes = 10 * SOFT
    expected = F.cross_entropy(LOGITS, votes)
    assert criterion({"loss": "cross_entropy", "loss_scale": 10.0})(LOGITS, SOFT).item() == pytest.approx(
        expected.item()
    )


def test_probability_targets_draw_a_class_every_time_an_image_is_seen() -> None:
    soft = np.tile(np.array([[0.25, 0.75, 0.0]], np.float32), (4000, 1))
    targets = Targets.of("probability", np.zeros(4000, np.int64), soft, 3)
    generator = torch.Generator().manual_seed(0)
    first, second = (targets.draw(torch.arange(4000), generator) for _ in range(2))
    assert not torch.equal(first, second)
    assert (first != 2).all()
    assert 0.72 < first.float().mean() < 0.78


@pytest.mark.parametrize("target", ["majority", "crossentropy", "votes", "multi_target"])
def test_other_targets_are_the_datasets_shares_where_it_has_them(target: str) -> None:
    soft = np.eye(3, dtype=np.float32)[[2, 1]]
    drawn = Targets.of(target, np.array([0, 1]), soft, 3).draw(torch.tensor([1, 0]), torch.Generator())
    assert torch.equal(drawn, torch.tensor([[0.0, 1, 0], [0, 0, 1]]))


def test_targets_without_shares_are_the_labels() -> None:
    hard = np.array([0, 2, -1])
    rows = torch.tensor([1, 0])
    assert torch.equal(Targets.of("majority", hard, None, 3).draw(rows, torch.Generator()), torch.tensor([2, 0]))
    classes = Targets.of("multi_target", hard, None, 3).draw(rows, torch.Generator())
    assert torch.equal(classes, torch.tensor([[0.0, 0, 1], [1, 0, 0]]))


LABELS = np.repeat([0, 1, 3], [600, 300, 100])


@pytest.mark.parametrize("rule", ["inverse", "effective"])
def test_class_weights_favour_rare_classes_and_keep_the_scale(rule: str) -> None:
    weights = class_weights(rule, LABELS, 4)
    assert weights is not None
    assert weights[0] < weights[1] < weights[3]
    assert weights[2] == 0
    assert weights[LABELS].mean().item() == pytest.approx(1.0, rel=1e-5)


def test_class_weights_follow_their_formulas() -> None:
    inverse = class_weights("inverse", LABELS, 4)
    effective = class_weights("effective", LABELS, 4)
    assert inverse is not None
    assert effective is not None
    assert (inverse[3] / inverse[0]).item() == pytest.approx(6.0)
    assert (effective[3] / effective[0]).item() == pytest.approx((1 - 0.999**600) / (1 - 0.999**100), rel=1e-5)
    assert class_weights("none", LABELS, 4) is None


def test_unknown_names_are_reported() -> None:
    with pytest.raises(UnknownName, match="unknown loss 'hinge'"):
        criterion({"loss": "hinge"})
    with pytest.raises(UnknownName, match="unknown class_weights"):
        class_weights("all", LABELS, 4)
