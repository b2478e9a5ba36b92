"""What the source would have paid: an ensemble of small networks."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from transreward_wrappers.compensation import Transitions
from transreward_wrappers.networks import EnsembleMLP, Frozen, seeded
from transreward_wrappers.normalization import RunningNormalizer
from transreward_wrappers.storage import Tensors, with_prefix, without_prefix

Rows = NDArray[np.float32]


class RewardModel:
    """Predicts ``r_S*(s, a)`` as the mean of an ensemble over normalised ``(s, a)``; its spread tells how sure it is.

    Args:
        observation_size: Length of an observation.
        action_size: Length of an action.
        members: Networks in the ensemble.
        hidden: Units in each of the two hidden layers.
        seed: Of initial weights and batches.
    """

    def __init__(self, observation_size: int, action_size: int, *, members: int, hidden: int, seed: int) -> None:
        inputs = observation_size + action_size
        with seeded(seed):
            self._ensemble = EnsembleMLP(members, [inputs, hidden, hidden, 1])
        self._frozen = Frozen(self._ensemble)
        self._members, self._generator = members, torch.Generator().manual_seed(seed)
        self._inputs = RunningNormalizer(inputs)
        self._reward_mean, self._reward_spread = 0.0, 1.0

    def fit(self, data: Transitions, *, updates: int, batch_size: int, learning_rate: float) -> float:
        """Fit to transitions by squared error, each member on its own batches, and return the last loss.

        The loss is in units of the reward's variance.
        """
        rows = features_of(data)
        self._inputs.observe(rows)
        self._reward_mean, self._reward_spread = float(data.reward.mean()), float(data.reward.std()) + 1e-8
        inputs = torch.from_numpy(self._inputs(rows))
        targets = torch.from_numpy(((data.reward - self._reward_mean) / self._reward_spread).astype(np.float32))
        optimizer = torch.optim.Adam(self._ensemble.parameters(), lr=learning_rate)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, max(updates, 1))
        loss = torch.tensor(float("nan"))
        for _ in tqdm(range(updates), desc="fitting the source's reward", leave=False, disable=None):
            index = torch.randint(len(rows), (self._members, batch_size), generator=self._generator)
            loss = (self._ensemble(inputs[index])[..., 0] - targets[index]).square().mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
        self._frozen = Frozen(self._ensemble)
        return float(loss.detach())

    def __call__(self, data: Transitions) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and spread over the ensemble [reward], each ``(B,)``."""
        predictions = self._frozen(self._inputs(features_of(data))).astype(np.float64)
        predictions = predictions * self._reward_spread + self._reward_mean
        return predictions.mean(axis=0), predictions.std(axis=0)

    def tensors(self) -> Tensors:
        """Return weights and statistics."""
        reward = torch.tensor([self._reward_mean, self._reward_spread], dtype=torch.float64)
        return {
            **with_prefix("ensemble", self._ensemble.state_dict()),
            **with_prefix("inputs", self._inputs.tensors()),
            "reward": reward,
        }

    def load_tensors(self, tensors: Tensors) -> None:
        """Put back what :meth:`tensors` returned."""
        self._ensemble.load_state_dict(without_prefix("ensemble", tensors))
        self._frozen = Frozen(self._ensemble)
        self._inputs.load_tensors(without_prefix("inputs", tensors))
        self._reward_mean, self._reward_spread = (float(value) for value in tensors["reward"])


def features_of(data: Transitions) -> Rows:
    """Return ``s`` and ``a`` side by side, as ``(B, width)`` in float32."""
    return np.concatenate([data.observation, data.action], axis=1, dtype=np.float32, casting="same_kind")
