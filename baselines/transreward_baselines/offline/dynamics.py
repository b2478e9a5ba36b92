"""World models of many runs: the suite's ensemble with Gaussians for what it predicts, and the reward beside.

    s' = s + sigma (m_k(s, a) + e^l_k(s, a) n),    k = 1 .. K

and so for the reward, with n standard normal, observations normalised and ``sigma`` the deviation of a step's change
(Chua et al. 2018, arXiv:1805.12114; Yu et al. 2020, arXiv:2005.13239).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from transreward_baselines.offline.data import OfflineData
from transreward_baselines.offline.stacked import StackedMLP, in_parts
from transreward_wrappers.world_models.scales import SMALLEST, Scales

LOG_STD_LIMITS = (-5.0, 0.25)
"""Between which log-deviations lie at first; both sides are learnt."""

LIMIT_WEIGHT = 0.01
"""Of the width between those sides in the loss (Chua et al. 2018: as much, of log-variances in twice this loss)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prediction:
    """What each member of each run's model says of ``B`` steps: Gaussians of change and reward, in their scales."""

    means: torch.Tensor
    """As ``(R, K, B, observation_size + 1)``, the reward last."""

    log_std: torch.Tensor
    """As ``(R, K, B, observation_size + 1)``."""


class Dynamics(nn.Module):
    """Ensembles of networks that predict changes of observations, and rewards, one ensemble for each of R runs.

    Observations come and go in the domain's own units, actions in ``[-1, 1]``.

    Args:
        seeds: Of each run's initial weights.
        sizes: Of an observation, of the hidden layers, and of an action.
        members: Networks K of a run, two at least.
        elites: How many of them, those that predict held-out data best, imagine.
    """

    reward_mean: torch.Tensor
    reward_std: torch.Tensor
    elites: torch.Tensor

    def __init__(self, seeds: Sequence[int], sizes: Sequence[int], *, members: int, elites: int) -> None:
        super().__init__()
        observation, *hidden, action = sizes
        outputs, runs = observation + 1, len(seeds)
        self.network = StackedMLP(seeds, [observation + action, *hidden, 2 * outputs], name="dynamics", members=members)
        self.limits = nn.ParameterList(torch.full((runs * members, 1, outputs), side) for side in LOG_STD_LIMITS)
        self.scales = Scales(runs, 1, 1, observation)
        self.register_buffer("reward_mean", torch.zeros(runs, 1, 1, 1))
        self.register_buffer("reward_std", torch.ones(runs, 1, 1, 1))
        self.register_buffer("elites", torch.arange(elites).repeat(runs, 1))

    def measure(self, data: OfflineData) -> None:
        """Take the scales of each run's own data."""
        for run in range(len(data.sizes)):
            where = data.whole(run)
            observations, rewards = data.arrays["observations"][where], data.arrays["rewards"][where].double()
            one = Scales(data.observation_size).to(observations.device)
            one.measure(observations, data.arrays["next_observations"][where] - observations)
            for name, buffer in one.named_buffers():
                getattr(self.scales, name)[run] = buffer
            self.reward_mean[run], self.reward_std[run] = rewards.mean(), rewards.std().clamp(min=SMALLEST)

    def predict(self, observations: torch.Tensor, actions: torch.Tensor) -> Prediction:
        """Return what all members say of steps ``(R, B, ...)``, or each of its own, ``(R, K, B, ...)``."""
        shared = observations.ndim == 3
        seen = self.scales.normalise(observations[:, None] if shared else observations)
        inputs = torch.cat([seen[:, 0] if shared else seen, actions], dim=-1)
        means, raw = (in_parts(self.network, inputs) if shared else self.network(inputs)).chunk(2, dim=-1)
        least, most = (side.unflatten(0, means.shape[:2]) for side in self.limits)
        log_std = most - functional.softplus(most - raw)
        return Prediction(means=means, log_std=least + functional.softplus(log_std - least))

    def truth(self, observations: torch.Tensor, rewards: torch.Tensor, following: torch.Tensor) -> torch.Tensor:
        """Return what was to be predicted of steps, in its scales, as ``(R, K, B, observation_size + 1)``.

        Args:
            observations: As ``(R, K, B, observation_size)``.
            rewards: As ``(R, K, B)``.
            following: Next observations, as ``(R, K, B, observation_size)``.
        """
        scales = self.scales
        changes = (following - observations) / (scales.std * scales.change)
        return torch.cat([changes, (rewards[..., None] - self.reward_mean) / self.reward_std], dim=-1)

    def loss(self, prediction: Prediction, truth: torch.Tensor) -> torch.Tensor:
        """Return the runs' losses, as ``(R,)``: minus log-densities but for a constant, summed over members."""
        log_std = prediction.log_std
        density = (0.5 * ((truth - prediction.means) / log_std.exp()).square() + log_std).mean(dim=(2, 3))
        least, most = (side.unflatten(0, log_std.shape[:2]) for side in self.limits)
        widths: torch.Tensor = (most - least).sum(dim=(1, 2, 3))
        return density.sum(dim=1) + LIMIT_WEIGHT * widths

    def uncertainty(self, prediction: Prediction) -> torch.Tensor:
        """Return u(s, a), the largest length of a member's deviations, in the domain's own units, as ``(R, B)``.

        It is max_k ||std_k(s, a)||, of next observation and reward together (Yu et al. 2020, section 4.3).
        """
        lengths: torch.Tensor = torch.linalg.vector_norm(prediction.log_std.exp() * self._units(), dim=-1)
        return lengths.amax(dim=1)

    def draw(
        self, observations: torch.Tensor, prediction: Prediction, choice: torch.Tensor, noise: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return next observations ``(R, B, observation_size)`` and rewards ``(R, B)`` that one elite each imagines.

        Args:
            observations: As ``(R, B, observation_size)``.
            prediction: Of all members.
            choice: Which elite, uniform in [0, 1), as ``(R, B)``.
            noise: Standard normal, as ``(R, B, observation_size + 1)``.
        """
        elite = self.elites.gather(1, (choice * self.elites.shape[1]).long())[:, None, :, None]
        mean, log_std = (part.take_along_dim(elite, dim=1)[:, 0] for part in (prediction.means, prediction.log_std))
        drawn = (mean + log_std.exp() * noise) * self._units()[:, 0]
        return observations + drawn[..., :-1], drawn[..., -1] + self.reward_mean[:, 0, :, 0]

    def _units(self) -> torch.Tensor:
        """Return one unit of each prediction in the domain's own units, as ``(R, 1, 1, observation_size + 1)``."""
        return torch.cat([self.scales.std * self.scales.change, self.reward_std], dim=-1)
