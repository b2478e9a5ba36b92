"""Choice among several actions for each observation."""

import pytest
import torch

from transreward_baselines.offline.candidates import best_action, best_value, soft_minimum
from transreward_baselines.offline.stacked import LEAST_ROWS, StackedMLP, in_parts


def test_the_soft_minimum_lies_between_the_critics_by_its_share() -> None:
    values = torch.tensor([[[1.0, 8.0], [5.0, 4.0]]])
    torch.testing.assert_close(soft_minimum(values, 0.75), torch.tensor([[2.0, 5.0]]))
    assert torch.equal(soft_minimum(values, 1.0), values.min(dim=1).values)


def test_the_best_of_each_observations_actions_is_chosen() -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(2, 12, generator=generator)
    actions = torch.randn(2, 12, 3, generator=generator)
    chosen, highest = best_action(actions, values, 4), best_value(values, 4)
    assert chosen.shape == (2, 3, 3)
    for run in range(2):
        for observation in range(3):
            own = list(range(observation, 12, 3))  # as in observations.repeat(1, 4, 1)
            best = max(own, key=lambda index: values[run, index].item())
            assert torch.equal(chosen[run, observation], actions[run, best])
            assert highest[run, observation] == values[run, best]


@pytest.mark.parametrize("members", [1, 2])
def test_what_is_computed_in_parts_is_what_is_computed_at_once_and_so_are_its_gradients(members: int) -> None:
    network, calls = StackedMLP(range(9), [3, 8, 2], name="any", members=members), list[int]()
    network.register_forward_hook(lambda _, inputs, __: calls.append(inputs[0].shape[1]))
    inputs = torch.randn(9, 2 * LEAST_ROWS + 5, 3, generator=torch.Generator().manual_seed(0))
    found, gradients = [], []
    for compute in (network, lambda rows: in_parts(network, rows)):
        rows = inputs.clone().requires_grad_()
        found.append(compute(rows))
        network.zero_grad()
        found[-1].square().sum().backward()
        gradients.append([rows.grad, network.weights[0].grad])
    assert len(calls) == 4
    assert sum(calls[1:]) == calls[0]
    torch.testing.assert_close(found[1], found[0])
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-4)
