"""The network of a recurrent state-space model (Hafner et al., 2019, arXiv:1811.04551), with Gaussian states.

    h_t = GRU(h_{t-1}, z_{t-1}, a_{t-1}),    prior p(z_t | h_t),    posterior q(z_t | o_t),    o_t = decoder(h_t, z_t)

The posterior looks at the observation alone, so that the beliefs h of a whole window are one fused call.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from transreward_wrappers.networks import EnsembleMLP, silu_mlp
from transreward_wrappers.world_models.network import Network
from transreward_wrappers.world_models.rssm_settings import RSSMSettings
from transreward_wrappers.world_models.windows import Stretches, Windows

Gaussian = tuple[torch.Tensor, torch.Tensor]
"""Mean and standard deviation."""

LEAST_STD = 0.02
MOST_STD = 1.0
"""Between which the deviations of latent Gaussians lie [-]."""

PRECISION = 20.0
"""Weight of an observation's squared error against the divergence: it is taken as sharp as 0.22 deviations [-]."""

WITNESSES = 5
"""Networks that predict the next observation from the belief alone; where they disagree, the model knows little."""

WITNESS_HIDDEN = 64


class RSSMNetwork(Network):
    """Beliefs and latent states.

    Args:
        observation_size: Length of an observation.
        action_size: Length of an action.
        settings: Sizes.
    """

    context: ClassVar[int] = 5

    reward_mean: torch.Tensor
    reward_std: torch.Tensor

    def __init__(self, observation_size: int, action_size: int, settings: RSSMSettings) -> None:
        super().__init__(observation_size)
        self._settings = settings
        belief, latent, hidden = settings.belief, settings.stochastic, settings.hidden
        self.state_size = belief + latent
        self.posterior = silu_mlp(observation_size, hidden, hidden, 2 * latent)
        self.prior = silu_mlp(belief, hidden, 2 * latent)
        self.joint = nn.Sequential(nn.Linear(latent + action_size, hidden), nn.SiLU())
        self.recurrence = nn.GRU(hidden, belief, batch_first=True)
        self.decoder = silu_mlp(belief + latent, hidden, hidden, observation_size)
        self.witnesses = EnsembleMLP(WITNESSES, [belief, WITNESS_HIDDEN, observation_size])
        self.outcome = silu_mlp(belief + latent, hidden, 2) if settings.reward else None
        self.register_buffer("reward_mean", torch.zeros(()))
        self.register_buffer("reward_std", torch.ones(()))

    def prepare(self, data: Stretches) -> None:
        """Take the scales of data, rewards included where they are to be learnt.

        Raises:
            ValueError: Rewards are to be learnt, and some are NaN.
        """
        super().prepare(data)
        if self.outcome is None:
            return
        rewards = data.rewards()
        if bool(rewards.isnan().any()):
            raise ValueError("A world model with `reward=True` needs the reward of every step; some of these are NaN.")
        self.reward_mean.copy_(rewards.mean())
        self.reward_std.copy_(rewards.std(correction=0).clamp_min(1e-6))

    def loss(self, windows: Windows, generator: torch.Generator) -> torch.Tensor:
        """Return the evidence bound, negative, on windows ``(B,)``, with a balanced divergence and free nats.

        The first state's belief is zero, as at the beginning of every inference. Observations are decoded from the
        prior, too, as in imagination.
        """
        truth = self.scales.normalise(windows.observations)
        mean, std = self.see(truth)
        latent = mean + std * _noise(mean, generator)
        beliefs = self._beliefs(latent[:, :-1], windows.actions)
        states = self._joined(beliefs, latent)
        expected, deviation = _gaussian(self.prior(beliefs))
        imagined = self.decoder(torch.cat([beliefs, expected], dim=-1))
        there, later = windows.mask, truth[:, 1:]
        seen = (
            _mean(_squares(self.decoder(states[:, 1:]), later), there)
            + _squares(self.decoder(states[:, 0]), truth[:, 0]).mean()
        )
        error = 0.5 * PRECISION * (seen + _mean(_squares(imagined, later), there))
        divergence = self._divergence((mean[:, 1:], std[:, 1:]), (expected, deviation), there)
        total = error + divergence + self._disagreement(beliefs.detach(), later, there, generator)
        return total if self.outcome is None else total + self._outcomes(states[:, 1:], windows)

    def see(self, normalised: torch.Tensor) -> Gaussian:
        """Return mean and deviation of the latent states that go with normalised observations."""
        return _gaussian(self.posterior(normalised))

    def beliefs(self, observations: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Return the beliefs after each of ``L`` steps, as ``(B, L, belief)``.

        Args:
            observations: As ``(B, L + 1, observation_size)``.
            actions: As ``(B, L, action_size)``.
        """
        mean, _ = self.see(self.scales.normalise(observations))
        return self._beliefs(mean[:, :-1], actions)

    def states(self, observations: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Return the states of runs, the first with the belief of no past, as ``(B, L + 1, state_size)``.

        Args:
            observations: As ``(B, L + 1, observation_size)``.
            actions: As ``(B, L, action_size)``.
        """
        mean, _ = self.see(self.scales.normalise(observations))
        return self._joined(self._beliefs(mean[:, :-1], actions), mean)

    def infer(self, observations: torch.Tensor, actions: torch.Tensor | None) -> torch.Tensor:
        """Return beliefs and posterior means at the ends of runs; without actions, the belief is that of no past."""
        mean, _ = self.see(self.scales.normalise(observations))
        if actions is None or actions.shape[1] == 0:
            belief = mean.new_zeros(len(mean), self._settings.belief)
        else:
            belief = self.beliefs(observations, actions)[:, -1]
        return torch.cat([belief, mean[:, -1]], dim=-1)

    def imagine(self, states: torch.Tensor, actions: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what is decoded from the means of the priors, and the disagreement of the witnesses."""
        imagined = []
        for step in range(actions.shape[1]):
            states = self.step(states, actions[:, step])
            imagined.append(states)
        path = torch.stack(imagined, dim=1)
        beliefs = path[..., : self._settings.belief]
        told = self.witnesses(beliefs.flatten(0, 1).expand(WITNESSES, -1, -1))
        spread = told.var(dim=0).mean(dim=-1).sqrt().view(path.shape[:2])
        return self.decode(path), spread

    def step(
        self, states: torch.Tensor, actions: torch.Tensor, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """Return the next states, as ``(N, state_size)``: by the prior's means, or drawn where there is a generator.

        Gradients go through, for agents that learn in imagination.
        """
        belief, latent = states.tensor_split([self._settings.belief], dim=-1)
        inputs = self.joint(torch.cat([latent, actions], dim=-1))
        belief = torch.gru_cell(inputs, belief, *self.recurrence.all_weights[0])
        mean, std = _gaussian(self.prior(belief))
        if generator is not None:
            mean = mean + std * _noise(mean, generator)
        return torch.cat([belief, mean], dim=-1)

    def decode(self, states: torch.Tensor) -> torch.Tensor:
        """Return the observations of states, as ``(..., observation_size)``, clipped to the range of the data."""
        decoded: torch.Tensor = self.decoder(states)
        return self.scales.restore(self.scales.clip(decoded))

    def rewards(self, states: torch.Tensor) -> torch.Tensor:
        """Return the rewards of arriving at states, as ``(...)``.

        Raises:
            ValueError: The model has no reward head.
        """
        return self.outcomes(states)[0]

    def continues(self, states: torch.Tensor) -> torch.Tensor:
        """Return how probable it is that the task goes on from states, as ``(...)``.

        Raises:
            ValueError: The model has no reward head.
        """
        return self.outcomes(states)[1]

    def outcomes(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return both :meth:`rewards` and :meth:`continues`, at the price of one."""
        rewards, goes_on = self._require_outcome()(states).unbind(-1)
        return rewards * self.reward_std + self.reward_mean, torch.sigmoid(goes_on)

    def _beliefs(self, latent: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Return the beliefs after each of ``L`` steps, as ``(B, L, belief)``."""
        beliefs: torch.Tensor = self.recurrence(self.joint(torch.cat([latent, actions], dim=-1)))[0]
        return beliefs

    def _joined(self, beliefs: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
        """Return the states of runs from the beliefs after each step and all latent states."""
        first = beliefs.new_zeros(len(beliefs), 1, self._settings.belief)
        return torch.cat([torch.cat([first, beliefs], dim=1), latent], dim=-1)

    def _divergence(self, seen: Gaussian, expected: Gaussian, there: torch.Tensor) -> torch.Tensor:
        """Return the divergence of what is seen from what was expected, mostly to move the latter."""
        settings = self._settings
        to_prior = _mean(_kl(_fixed(seen), expected), there).clamp_min(settings.free_nats)
        to_posterior = _mean(_kl(seen, _fixed(expected)), there).clamp_min(settings.free_nats)
        return settings.balance * to_prior + (1.0 - settings.balance) * to_posterior

    def _disagreement(
        self, beliefs: torch.Tensor, later: torch.Tensor, there: torch.Tensor, generator: torch.Generator
    ) -> torch.Tensor:
        """Return the witnesses' squared error; each sees about half of the steps."""
        told = self.witnesses(beliefs.flatten(0, 1).expand(WITNESSES, -1, -1))
        drawn = torch.rand(told.shape[:2], generator=generator, device=told.device)
        shown = (drawn < 0.5) * there.flatten()
        return _mean(_squares(told, later.flatten(0, 1)), shown)

    def _outcomes(self, states: torch.Tensor, windows: Windows) -> torch.Tensor:
        """Return the loss of rewards and of whether the task goes on."""
        told = self._require_outcome()(states)
        rewards = (windows.rewards - self.reward_mean) / self.reward_std
        goes_on = functional.binary_cross_entropy_with_logits(
            told[..., 1], 1.0 - windows.terminated.float(), reduction="none"
        )
        return _mean((told[..., 0] - rewards).square() + goes_on, windows.mask)

    def _require_outcome(self) -> nn.Sequential:
        if self.outcome is None:
            raise ValueError("Rewards and ends of the task are predicted by a model that was made with `reward=True`.")
        return self.outcome


def _gaussian(outputs: torch.Tensor) -> Gaussian:
    mean, spread = outputs.chunk(2, dim=-1)
    return mean, LEAST_STD + (MOST_STD - LEAST_STD) * torch.sigmoid(spread)


def _noise(like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(like.shape, generator=generator, device=like.device)


def _fixed(gaussian: Gaussian) -> Gaussian:
    return gaussian[0].detach(), gaussian[1].detach()


def _kl(one: Gaussian, other: Gaussian) -> torch.Tensor:
    """Return KL(one || other) [nats], as ``(...)``."""
    (mean, std), (its_mean, its_std) = one, other
    squares = (std.square() + (mean - its_mean).square()) / (2.0 * its_std.square())
    return (torch.log(its_std / std) + squares - 0.5).sum(dim=-1)


def _squares(values: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    return (values - truth).square().sum(dim=-1)


def _mean(values: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return (values * weights).sum() / weights.sum().clamp_min(1.0)
