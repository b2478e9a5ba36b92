"""Transitions that policies make in the world models of many runs, in branches from states of the data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from transreward_baselines.offline.data import Batch, OfflineData
from transreward_baselines.offline.dynamics import Dynamics
from transreward_baselines.offline.requirements import free_memory
from transreward_baselines.offline.streams import Streams

Policy = Callable[[torch.Tensor], torch.Tensor]
"""From normalised observations ``(R, B, observation_size)`` to drawn actions ``(R, B, action_size)``."""

Bounds = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Lower and upper bounds that observations leave where the task ends, ``(observation_size,)`` each."""


SAVING = 3
"""Copies of what is imagined while a checkpoint of it is written, the one in use included."""


class Imagined(nn.Module):
    """The newest imagined transitions of each of R runs; checkpoints have them, since they are buffers.

    Args:
        runs: Number of runs.
        observation: Size of observations.
        action: Size of actions.
        capacity: Transitions that are kept of each run.
        device: Where they are to be.

    Raises:
        MemoryError: They take more memory than there is.
    """

    rows: torch.Tensor
    made: torch.Tensor

    def __init__(self, runs: int, *, observation: int, action: int, capacity: int, device: torch.device) -> None:
        super().__init__()
        self._widths = [observation, action, 1, observation, 1]
        copies = SAVING if device.type == "cpu" else 1
        needed, free = 4 * copies * runs * capacity * sum(self._widths), free_memory(device)
        if needed > free:
            raise MemoryError(
                f"{capacity:,} imagined transitions of each of {runs} runs take {needed / 2**30:.1f} GiB on {device}, "
                f"which has {free / 2**30:.1f} GiB free. Lower `branches`, `horizon` or `kept`, or give fewer runs."
            )
        self.register_buffer("rows", torch.zeros(runs, capacity, sum(self._widths)))
        self.register_buffer("made", torch.zeros((), dtype=torch.int64))

    def add(self, transitions: Batch) -> None:
        """Keep transitions, in place of the oldest once there are too many."""
        rewards, bootstrap = (part[..., None] for part in (transitions.rewards, transitions.bootstrap))
        parts = [transitions.observations, transitions.actions, rewards, transitions.next_observations, bootstrap]
        new = torch.cat(parts, dim=-1)
        count = new.shape[1]
        index = (self.made + torch.arange(count, device=self.rows.device)) % self.rows.shape[1]
        self.rows[:, index] = new
        self.made += count

    def sample(self, streams: Streams, count: int) -> Batch:
        """Return transitions drawn with replacement, ``count`` for each run."""
        drawn = streams.uniform("imagined batch", count).double()
        index = (drawn * self.made.clamp(max=self.rows.shape[1])).long()
        rows = self.rows.take_along_dim(index[..., None], dim=1)
        seen, done, paid, following, bootstrap = torch.split(rows, self._widths, dim=-1)
        return Batch(
            observations=seen,
            actions=done,
            rewards=paid[..., 0],
            next_observations=following,
            bootstrap=bootstrap[..., 0],
            where=torch.full_like(index, -1),
        )


class Branches:
    """Imagines from the data's states on, a few steps far.

    A branch that ends, where the task does, begins anew at another state, so that each step gives as many transitions.

    Args:
        dynamics: The models.
        bounds: Of observations while the task goes on.
        count: Branches of each run.
        horizon: Steps of a branch.
        penalty: Of uncertainty, in the reward.
    """

    def __init__(self, dynamics: Dynamics, bounds: Bounds, *, count: int, horizon: int, penalty: float) -> None:
        self.dynamics, self.count, self.horizon, self.penalty = dynamics, count, horizon, penalty
        self._low, self._high = (torch.from_numpy(side).float() for side in bounds)

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # rare, and of other shapes than gradient steps
    @torch.no_grad()
    def grow(self, policy: Policy, data: OfflineData, streams: Streams, imagined: Imagined) -> None:
        """Take all steps of new branches, and add them to what is imagined."""
        states = self._starts(data, streams)
        for depth in range(self.horizon):
            transitions, following, over = self.step(policy, data, streams, states)
            imagined.add(transitions)
            if depth + 1 < self.horizon:
                states = torch.where(over[..., None], self._starts(data, streams), following)

    def step(
        self, policy: Policy, data: OfflineData, streams: Streams, states: torch.Tensor
    ) -> tuple[Batch, torch.Tensor, torch.Tensor]:
        """Return transitions from states, what they lead to in the domain's own units, and where the task ends.

        Args:
            policy: What acts.
            data: By whose statistics observations are normalised.
            streams: Random numbers of the runs.
            states: Observations in the domain's own units, as ``(R, B, observation_size)``.
        """
        seen = data.normalised(states)
        with torch.autocast(states.device.type, enabled=False):  # small changes need all digits
            actions = policy(seen)
            prediction = self.dynamics.predict(states, actions)
            choice = streams.uniform("elite", states.shape[1])
            noise = streams.normal("model noise", states.shape[1], states.shape[2] + 1)
            following, rewards = self.dynamics.draw(states, prediction, choice, noise)
            paid = rewards - self.penalty * self.dynamics.uncertainty(prediction)
        over = self.ends(following)
        transitions = Batch(
            observations=seen,
            actions=actions,
            rewards=paid,
            next_observations=data.normalised(following),
            bootstrap=1.0 - over.float(),
            where=torch.full_like(over, -1, dtype=torch.int64),
        )
        return transitions, following, over

    def ends(self, observations: torch.Tensor) -> torch.Tensor:
        """Return where the task ends, as ``(R, B)``."""
        low, high = self._low.to(observations.device), self._high.to(observations.device)
        return ((observations < low) | (observations > high)).any(dim=-1)

    def _starts(self, data: OfflineData, streams: Streams) -> torch.Tensor:
        """Return observations drawn from the data, in the domain's own units."""
        return data.arrays["observations"][data.sample(streams, self.count, "branch").where]
