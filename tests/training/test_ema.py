"""The average follows the weights by its formula, and stands apart from them."""

import pytest
import torch
from torch import nn

from fersearch.training.optim import Average


def stepped(model: nn.Module, average: Average, by: float = 1.0) -> None:
    with torch.no_grad():
        for weight in model.parameters():
            weight += by
    average.update()


def test_the_average_follows_its_formula() -> None:
    model = nn.Linear(2, 1)
    expected = model.weight.detach().clone()
    average = Average(model, decay=0.25)
    for step in (1, 2, 3):
        stepped(model, average)
        share = min(0.25, (1 + step) / (10 + step))
        expected = share * expected + (1 - share) * model.weight.detach()
    torch.testing.assert_close(average.model.weight, expected)


def test_a_high_decay_soon_forgets_the_start() -> None:
    model = nn.Linear(1, 1)
    start = model.weight.item()
    average = Average(model, decay=0.9999)
    stepped(model, average, by=10.0)
    for _ in range(30):
        stepped(model, average, by=0.0)
    assert average.model.weight.item() == pytest.approx(start + 10, abs=0.01)


def test_statistics_are_averaged_and_counters_copied() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3))
    average = Average(model, decay=0.5)
    model(torch.randn(8, 3) + 5)
    moved = model[0].running_mean.clone()
    average.update()
    share = 2 / 11
    torch.testing.assert_close(average.model[0].running_mean, (1 - share) * moved)
    assert average.model[0].num_batches_tracked == 1


def test_the_average_trains_nothing_and_is_in_evaluation_mode() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    average = Average(model, decay=0.5)
    model.train()
    assert not average.model.training
    assert not any(weight.requires_grad for weight in average.model.parameters())
    assert all(weight.requires_grad for weight in model.parameters())


def test_an_average_resumes_from_a_stored_state() -> None:
    model = nn.Linear(2, 1)
    average = Average(model, decay=0.9)
    stepped(model, average)
    again = Average(model, decay=0.9)
    again.load_state_dict(average.state_dict())
    for each in (average, again):
        each.update()
    assert again.steps == 2
    assert torch.equal(average.model.weight, again.model.weight)
