"""Networks on the meta device have the shapes of real ones, and nothing is drawn for them."""

import torch
from torch import nn

from fersearch.training.on_meta import on_meta


def network() -> nn.Module:
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 3))
    nn.init.kaiming_normal_(module[0].weight)
    nn.init.trunc_normal_(module[3].weight, std=0.02)
    nn.init.orthogonal_(module[3].weight)
    nn.init.constant_(module[3].bias, 0.5)
    return module


def test_shapes_equal_those_of_the_real_network():
    with on_meta():
        made = network()
    assert {tensor.device.type for tensor in made.state_dict().values()} == {"meta"}
    assert [weight.shape for weight in made.parameters()] == [weight.shape for weight in network().parameters()]
    assert made(torch.zeros(2, 1, 4, 4, device="meta")).shape == (2, 3)


def test_no_number_is_drawn_and_draws_come_back():
    torch.manual_seed(0)
    with on_meta():
        network()
    after = torch.rand(3)
    torch.manual_seed(0)
    assert torch.equal(after, torch.rand(3))
    assert torch.empty(9).normal_().abs().sum() > 0


def test_a_tensor_that_is_put_elsewhere_is_drawn():
    with on_meta():
        made = torch.zeros(9, device="cpu").normal_()
    assert made.abs().sum() > 0
