"""An ensemble of networks that predict how an observation changes, for domains whose observation is their state.

    s' = s + sigma f_k(s, a),    k = 1 .. K

with observations normalised and ``sigma`` the deviation of a step's change. Each member imagines a trajectory of its
own; what the model imagines is their mean, and its spread their standard deviation (Chua et al., 2018,
arXiv:1805.12114). Most gradient steps are of single steps, the last ones through short rollouts, which keeps long ones
from drifting off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from transreward_envs.errors import require_count, require_share
from transreward_wrappers.networks import EnsembleMLP
from transreward_wrappers.world_models.descent import Stage
from transreward_wrappers.world_models.model import LearnedModel
from transreward_wrappers.world_models.network import Network
from transreward_wrappers.world_models.settings import ModelSettings
from transreward_wrappers.world_models.windows import Windows


@dataclass(frozen=True, kw_only=True)
class EnsembleSettings(ModelSettings):
    """Sizes of an ensemble, and of its fit."""

    members: int = 5
    """Networks K; two at least, so that they can disagree."""

    unrolled: float = 0.25
    """Share of the gradient steps that go through rollouts, the last ones [-]."""

    unroll: int = 5
    """Steps of those rollouts."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_count("members", self.members, at_least=2)
        require_count("unroll", self.unroll, at_least=1)
        require_share("unrolled", self.unrolled)


class EnsembleNetwork(Network):
    """Members side by side.

    Args:
        observation_size: Length of an observation, and of a state.
        action_size: Length of an action.
        settings: Sizes.
    """

    def __init__(self, observation_size: int, action_size: int, settings: EnsembleSettings) -> None:
        super().__init__(observation_size)
        self.state_size = observation_size
        self._members = settings.members
        sizes = [observation_size + action_size, settings.hidden, settings.hidden, observation_size]
        self.change = EnsembleMLP(settings.members, sizes)

    def loss(self, windows: Windows, generator: torch.Generator) -> torch.Tensor:
        """Return the squared error of rollouts, in units of a step's change, summed over members.

        Windows are ``(K, B)``; each member has its own.
        """
        truth = self.scales.normalise(windows.observations)
        state, errors = truth[..., 0, :], []
        for step in range(windows.actions.shape[-2]):
            state = self._step(state, windows.actions[..., step, :])
            errors.append((state - truth[..., step + 1, :]) / self.scales.change)
        squares = torch.stack(errors, dim=-2).square().mean(dim=-1)
        return (squares * windows.mask).sum() * self._members / windows.mask.sum()

    def infer(self, observations: torch.Tensor, actions: torch.Tensor | None) -> torch.Tensor:
        """Return the last observations."""
        return observations[:, -1]

    def imagine(self, states: torch.Tensor, actions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the members' mean and spread, after each step; all members take all actions."""
        members = self._members
        rows = self.scales.normalise(states).expand(members, len(actions), -1)
        imagined, spreads = [], []
        for step in range(actions.shape[1]):
            predicted = self._step(rows, actions[:, step].expand(members, -1, -1))
            spreads.append(_spread(predicted))  # before all of them are clipped to one bound
            rows = self.scales.clip(predicted)
            imagined.append(rows.mean(dim=0))
        return self.scales.restore(torch.stack(imagined, dim=1)), torch.stack(spreads, dim=1)

    def draft(self, states: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Return what one member each imagines; by turns, the first row by the first."""
        count, horizon, _ = actions.shape
        index = torch.arange(-(-count // self._members) * self._members) % count
        acted = self._by_turns(actions[index].flatten(1)).view(self._members, -1, horizon, actions.shape[-1])
        rows = self._by_turns(self.scales.normalise(states)[index])
        imagined = []
        for step in range(horizon):
            rows = self.scales.clip(self._step(rows, acted[..., step, :]))
            imagined.append(rows)
        every = torch.stack(imagined, dim=-2).transpose(0, 1).flatten(0, 1)
        return self.scales.restore(every[:count])

    def _by_turns(self, rows: torch.Tensor) -> torch.Tensor:
        """Return ``(B, width)`` as ``(K, B / K, width)``."""
        return rows.view(-1, self._members, rows.shape[-1]).transpose(0, 1)

    def _step(self, state: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        change: torch.Tensor = self.change(torch.cat([state, action], dim=-1))
        return state + self.scales.change * change


def _spread(predicted: torch.Tensor) -> torch.Tensor:
    """Return the members' deviation of what they predict, ``(K, N, O)``, over all observations, as ``(N,)``.

    Written out, because `Tensor.var` over the first of three axes took an eighth of a search's time.
    """
    squares = (predicted - predicted.mean(dim=0)).square().sum(dim=0) / (len(predicted) - 1)
    return squares.mean(dim=-1).sqrt()


class Ensemble(LearnedModel[EnsembleSettings, EnsembleNetwork]):
    """A :class:`LearnedModel` by an ensemble; the default."""

    kind: ClassVar[str] = "ensemble"

    def _build(self) -> EnsembleNetwork:
        return EnsembleNetwork(self.observation_size, self.action_size, self.settings)

    def _stages(self, updates: int) -> list[Stage]:
        unrolled = round(self.settings.unrolled * updates)
        return [Stage(updates=updates - unrolled, length=1), Stage(updates=unrolled, length=self.settings.unroll)]

    @property
    def _batch(self) -> tuple[int, ...]:
        return self.settings.members, self.settings.batch_size
