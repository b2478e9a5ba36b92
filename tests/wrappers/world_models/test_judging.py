"""What is said of a world model: each kind of data counts where it reaches."""

import numpy as np
import torch

from transreward_wrappers.datasets import Episode
from transreward_wrappers.world_models.judging import judge
from transreward_wrappers.world_models.scales import Scales
from transreward_wrappers.world_models.windows import Stretches


def walks(count: int, steps: int) -> Stretches:
    generator = np.random.default_rng(steps)
    return Stretches(
        [
            Episode(
                observations=generator.normal(size=(steps + 1, 2)),
                actions=np.zeros((steps, 1)),
                rewards=np.zeros(steps),
                terminated=True,
            )
            for _ in range(count)
        ]
    )


def stand(seen: torch.Tensor, actions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Imagine that nothing moves, with a spread of 1 throughout."""
    return seen[:, -1:].expand(-1, actions.shape[1], -1), torch.ones(len(seen), actions.shape[1])


def test_a_kind_of_short_episodes_does_not_lower_the_spread_at_steps_that_it_does_not_reach() -> None:
    errors, spread = judge(stand, Scales(2), {"random": walks(20, 12), "policy": walks(3, 200)}, context=0)
    assert spread == (1.0, 1.0, 1.0, 1.0)
    assert (len(errors["random"].model), len(errors["policy"].model)) == (3, 4)
    for found in errors.values():
        np.testing.assert_allclose(found.model, found.persistence)
