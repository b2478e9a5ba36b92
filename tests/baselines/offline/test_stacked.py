"""Networks of many runs side by side."""

import torch

from transreward_baselines.offline.stacked import StackedMLP


def test_values_are_told_apart_as_finely_under_autocast() -> None:
    critics = StackedMLP([0, 1], [3, 32, 32, 1], name="critics", members=2)
    with torch.no_grad():
        critics.biases[-1].fill_(300.0)  # bfloat16 has steps of 2 there
    inputs = torch.randn(2, 64, 3, generator=torch.Generator().manual_seed(0))
    exact = critics(inputs)
    with torch.autocast("cpu", torch.bfloat16):
        rough = critics(inputs)
    assert rough.dtype == torch.float32
    assert not torch.equal(rough, exact)
    assert (rough - exact).abs().max() < 0.05 * exact.std()
