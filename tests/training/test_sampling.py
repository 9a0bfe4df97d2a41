"""Every rule shows the classes as often as it says, and the generator decides which images."""

import pytest
import torch

from fersearch.errors import UnknownName
from fersearch.training.sampling import SAMPLINGS, Sampling

SIZES = (60, 30, 10)
LABELS = torch.repeat_interleave(torch.tensor([0, 1, 3]), torch.tensor(SIZES))


def drawn(rule: str, seed: int = 0) -> torch.Tensor:
    return Sampling(rule, LABELS).draw(torch.Generator().manual_seed(seed)).places


def seen(places: torch.Tensor) -> list[int]:
    return torch.bincount(LABELS[places], minlength=4)[[0, 1, 3]].tolist()


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("shuffle", [60, 30, 10]),
        ("balanced", [34, 33, 33]),
        ("oversample", [60, 60, 60]),
        ("undersample", [10, 10, 10]),
        ("smote", [60, 60, 60]),
    ],
)
def test_classes_are_seen_as_often_as_the_rule_says(rule: str, expected: list[int]) -> None:
    places = drawn(rule)
    assert seen(places) == expected
    assert len(places) == Sampling(rule, LABELS).count


def test_weighted_draws_every_class_with_the_same_probability_and_as_many_images_as_there_are() -> None:
    epochs = [drawn("weighted", seed) for seed in range(200)]
    assert {len(places) for places in epochs} == {100}
    shares = torch.tensor(seen(torch.cat(epochs))) / 20_000
    torch.testing.assert_close(shares, torch.full((3,), 1 / 3), atol=0.02, rtol=0)
    times = torch.bincount(torch.cat(epochs), minlength=100)
    assert times.min() > 0


@pytest.mark.parametrize("rule", ["oversample", "balanced", "undersample"])
def test_images_of_a_class_are_seen_equally_often_but_for_one(rule: str) -> None:
    times = torch.bincount(drawn(rule), minlength=100)
    for start, end in ((0, 60), (60, 90), (90, 100)):
        assert times[start:end].max() - times[start:end].min() <= 1


@pytest.mark.parametrize("rule", sorted(SAMPLINGS))
def test_the_generator_decides_every_draw(rule: str) -> None:
    first, again, other = (drawn(rule, seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_shuffle_is_one_random_permutation() -> None:
    expected = torch.randperm(100, generator=torch.Generator().manual_seed(4))
    assert torch.equal(drawn("shuffle", 4), expected)


def test_smote_shows_every_image_itself_and_blends_only_what_is_lacking() -> None:
    order = Sampling("smote", LABELS).draw(torch.Generator().manual_seed(0))
    assert order.partners is not None
    assert order.shares is not None
    own = order.shares == 0
    assert sorted(order.places[own].tolist()) == list(range(100))
    assert torch.equal(LABELS[order.partners], LABELS[order.places])
    assert ((order.shares >= 0) & (order.shares < 1)).all()
    assert torch.bincount(LABELS[order.places[~own]], minlength=4).tolist() == [0, 30, 0, 50]
    assert (order.partners != order.places)[~own].any()


def test_one_class_alone_is_no_trouble() -> None:
    for rule in SAMPLINGS:
        order = Sampling(rule, torch.zeros(5, dtype=torch.int64)).draw(torch.Generator())
        assert len(order.places) == 5


def test_an_unknown_rule_is_reported() -> None:
    with pytest.raises(UnknownName, match="did you mean 'balanced'"):
        Sampling("balance", LABELS)
