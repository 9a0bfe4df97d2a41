from typing import Any

import pytest
import torch
from fersearch_architectures._sanet_layers import RowsAndColumns, SelfAttention
from fersearch_architectures.sanet import SANet

from fersearch import Task, UsageError
from fersearch.testing import ArchitectureSuite
from fersearch.training.summary import count_on_meta


class TestSANet(ArchitectureSuite):
    architecture = SANet()
    tasks = (Task(tuple("abcdefgh"), 1, 24), Task(("yes", "no"), 3, 17))


@pytest.mark.parametrize(("variant", "weights"), [("attention", 725_881), ("recurrent", 1_464_007)])
def test_it_has_its_weights(variant: str, weights: int) -> None:
    params = {"dropout": 0.0, "variant": variant}
    assert count_on_meta(SANet(), params, Task(tuple("abcdefg")))["total"] == weights


def test_attention_stands_after_the_second_and_third_pool() -> None:
    model: Any = SANet().build({"dropout": 0.0, "variant": "attention"}, Task(("a", "b"), 1, 16))
    assert [type(stage[-1]).__name__ for stage in model][:3] == ["MaxPool2d", "SelfAttention", "SelfAttention"]


def test_recurrent_layers_stand_after_every_pool() -> None:
    model: Any = SANet().build({"dropout": 0.0, "variant": "recurrent"}, Task(("a", "b"), 1, 16))
    assert [type(stage[-1]).__name__ for stage in model][:3] == ["RowsAndColumns"] * 3


def test_attention_starts_as_the_identity_and_learns_its_factor_first() -> None:
    torch.manual_seed(0)
    layer, x = SelfAttention(16), torch.randn(2, 16, 3, 4)
    out = layer(x)
    assert torch.equal(out, x)
    out.square().sum().backward()
    assert layer.gamma.grad.abs() > 0


def test_attention_is_the_papers_sum_over_places() -> None:
    torch.manual_seed(0)
    layer, x = SelfAttention(8), torch.randn(1, 8, 2, 3)
    layer.gamma.data.fill_(0.7)
    query, key, value = (part(x)[0].flatten(1) for part in (layer.query, layer.key, layer.value))
    wanted = x[0].flatten(1).clone()
    for place in range(6):
        scores = torch.stack([query[:, place] @ key[:, other] for other in range(6)])
        shares = scores.exp() / scores.exp().sum()
        wanted[:, place] += 0.7 * sum(shares[other] * value[:, other] for other in range(6))
    assert torch.allclose(layer(x)[0].flatten(1), wanted, atol=1e-5)


def test_rows_and_columns_are_read_along_their_own_axis() -> None:
    torch.manual_seed(0)
    layer, x = RowsAndColumns(8), torch.randn(1, 8, 4, 5)
    before, changed = layer(x), x.clone()
    changed[0, :, 1, 2] += 1
    moved = (layer(changed) - before)[0].abs().sum(0) > 1e-6
    assert before.shape == (1, 16, 4, 5)
    assert torch.equal(before[:, :8], x)
    assert moved[1].all(), "the whole row hears of it"
    assert moved[:, 2].all(), "the whole column hears of it"
    assert int(moved.sum()) == 4 + 5 - 1, "and nothing else"


def test_each_row_is_read_both_ways() -> None:
    torch.manual_seed(0)
    layer, x = RowsAndColumns(8), torch.randn(1, 8, 3, 3)
    alone, _ = layer.rows(x[:, :, 1].transpose(1, 2))
    assert torch.allclose(layer(x)[0, 8:12, 1], alone[0].T, atol=1e-6)


@pytest.mark.parametrize("variant", ["attention", "recurrent"])
def test_it_computes_in_bfloat16_on_request(variant: str) -> None:
    model = SANet().build({"dropout": 0.0, "variant": variant}, Task(("a", "b"), 1, 16))
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(torch.randn(2, 1, 16, 16))
    logits.float().sum().backward()
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("variant", ["attention", "recurrent"])
@pytest.mark.parametrize("size", [40, 107])
def test_any_image_size_fits(size: int, variant: str) -> None:
    model = SANet().build({"dropout": 0.0, "variant": variant}, Task(("a", "b"), 3, size))
    assert model(torch.randn(1, 3, size, size)).shape == (1, 2)


def test_an_image_that_is_too_small_is_refused() -> None:
    with pytest.raises(UsageError, match="--image-size 8"):
        SANet().build({"dropout": 0.0}, Task(("a", "b"), 1, 7))
