"""Fitted Q evaluation (Le et al., 2019, arXiv:1903.08738), which DRaE's estimates are compared with."""

from __future__ import annotations

import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray

from transreward_wrappers.compensation import Transitions
from transreward_wrappers.networks import EnsembleMLP, seeded
from transreward_wrappers.normalization import RunningNormalizer, side_by_side
from transreward_wrappers.policies import GaussianPolicy
from transreward_wrappers.policies.scaling import scale_actions

Array = NDArray[np.float64]


class FittedQ:
    """Fitted Q evaluation of the policy from all transitions alike, whichever domain they are of."""

    def __init__(
        self, batch: Transitions, policy: GaussianPolicy, space: Box, *, gamma: float, updates: int, seed: int
    ) -> None:
        self._policy, self._space, self._random = policy, space, np.random.default_rng(seed)
        pairs = side_by_side(batch.observation, batch.action)
        self._inputs = RunningNormalizer(pairs.shape[1])
        self._inputs.observe(pairs)
        discount = gamma * ~batch.terminated
        self._offset = float(batch.reward.mean() / (1.0 - discount.mean()))  # V and Q begin at the same value
        surplus = batch.reward - self._offset * (1.0 - discount)
        self._scale = float(surplus.std() / (1.0 - gamma) ** 0.5) + 1e-8
        columns = (surplus / self._scale, discount)
        with seeded(seed):
            self._net, self._slow = (EnsembleMLP(1, [pairs.shape[1], 64, 64, 1]) for _ in range(2))
        self._slow.load_state_dict(self._net.state_dict())
        adam = torch.optim.Adam(self._net.parameters(), lr=1e-3, fused=True)
        for _ in range(updates):
            index = self._random.integers(0, len(batch), 256)
            some, (reward, kept) = batch.select(index), (torch.from_numpy(one[index]).float() for one in columns)
            with torch.no_grad():
                following = self._ask(self._slow, some.next_observation, self._drawn(some.next_observation))
                goal = reward + kept * following
            loss = (self._ask(self._net, some.observation, some.action) - goal).square().mean()
            adam.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            adam.step()
            with torch.no_grad():
                torch._foreach_lerp_(list(self._slow.parameters()), list(self._net.parameters()), 0.01)

    @torch.no_grad()
    def __call__(self, observations: Array) -> Array:
        """Return the policy's value, as ``(B,)``."""
        draws = [self._ask(self._slow, observations, self._drawn(observations)).numpy() for _ in range(32)]
        mean: Array = np.mean(draws, axis=0) * self._scale + self._offset
        return mean

    def _drawn(self, observations: Array) -> Array:
        return np.asarray(scale_actions(self._policy.sample(observations, self._random)[0], self._space), np.float64)

    def _ask(self, net: EnsembleMLP, observations: Array, actions: Array) -> torch.Tensor:
        values: torch.Tensor = net(torch.from_numpy(self._inputs(side_by_side(observations, actions)))[None])
        return values[0, :, 0]
