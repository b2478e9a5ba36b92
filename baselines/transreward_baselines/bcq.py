"""BCQ, many runs at once: Fujimoto et al. 2019 (arXiv:1812.02900), the update in one file.

    transreward data build --pair Hopper-dara-mass --domain target --quality medium-expert
    python -m transreward_baselines.bcq --pair Hopper-dara-mass --data <id> --seeds 0 1 2 3 4

Actions are those that a conditional autoencoder of the data samples, each moved by at most phi towards what the critic
values; targets take the best of 10 by 0.75 min Q + 0.25 max Q, the policy the best of 100 by the first critic.
Deviations from the paper: observations are normalised; batches of 256, all networks as wide as each other, and the 100
latents from which a policy chooses are drawn once, so that it is a function of the observation. Runs of all datasets
and seeds take each gradient step together, along a leading axis R, and a run's numbers are those that it has alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from transreward_baselines.offline.args import OfflineArgs
from transreward_baselines.offline.candidates import best_action, best_value, soft_minimum
from transreward_baselines.offline.data import Batch, OfflineData
from transreward_baselines.offline.evaluation import OfflineEvaluation
from transreward_baselines.offline.stacked import StackedMLP, descend, follow, in_parts, per_run, values_of
from transreward_baselines.offline.streams import Streams
from transreward_baselines.offline.training import train
from transreward_baselines.offline.vae import StackedVAE
from transreward_baselines.script import run_script
from transreward_envs.errors import require_count, require_non_negative, require_positive, require_share


@dataclass(frozen=True, kw_only=True)
class Args(OfflineArgs):
    """Settings of BCQ."""

    phi: float = 0.05
    """Most by which a sampled action is moved, in each direction."""

    min_share: float = 0.75
    """Weight of the lower critic in targets, against the higher."""

    target_actions: int = 10
    """Actions of which targets take the best."""

    acting_actions: int = 100
    """Actions of which the policy takes the best."""

    tau: float = 0.005
    """Share by which targets move after each step."""

    learning_rate: float = 1e-3
    """Of Adam."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive("learning_rate", self.learning_rate)
        require_non_negative("phi", self.phi)
        for name in ("min_share", "tau"):
            require_share(name, getattr(self, name))
        for name in ("target_actions", "acting_actions"):
            require_count(name, getattr(self, name), at_least=1)


class BCQ:
    """Autoencoders, perturbations and twin critics of all runs, with the targets of the last two."""

    def __init__(self, args: Args, data: OfflineData, streams: Streams) -> None:
        self.args, self.streams = args, streams
        seeds, hidden = [run.seed for run in args.runs], args.hidden
        observation, action = data.observation_size, data.action_size
        self.vae = StackedVAE(seeds, observation=observation, action=action, hidden=hidden)
        networks: dict[str, nn.Module] = {"vae": self.vae}
        for name in ("perturbation", "target_perturbation"):
            networks[name] = StackedMLP(seeds, [observation + action, hidden, hidden, action], name="perturbation")
        for name in ("critics", "target_critics"):
            networks[name] = StackedMLP(seeds, [observation + action, hidden, hidden, 1], name="critics", members=2)
        self.networks = nn.ModuleDict(networks)
        for name in ("target_perturbation", "target_critics"):
            self.networks[name].requires_grad_(False)
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(self.networks[name].parameters(), lr=args.learning_rate, fused=True)
            for name in ("vae", "perturbation", "critics")
        }
        self._acting_noise = streams.normal("acting noise", args.acting_actions, self.vae.latent)

    def act(self, observations: torch.Tensor) -> torch.Tensor:
        """Return of many sampled actions those that the first critics value most, as ``(R, B, action_size)``."""
        count = self.args.acting_actions
        seen = observations.repeat(1, count, 1)
        noise = self._acting_noise.repeat_interleave(observations.shape[1], dim=1)
        actions = self.sample("perturbation", seen, noise)
        return best_action(actions, self.values("critics", seen, actions)[:, 0], count)

    def sample(self, name: str, observations: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return actions that the data might have, each moved a little, as ``(R, B, action_size)``."""
        actions = torch.tanh(self.vae.sample(observations, noise))
        moves = torch.tanh(in_parts(self.networks[name], torch.cat([observations, actions], dim=-1)))
        return (actions + self.args.phi * moves).clamp(-1.0, 1.0)

    def values(self, name: str, observations: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Return what both critics of each run say, as ``(R, 2, B)``."""
        return values_of(self.networks[name], observations, actions)

    def update(self, batch: Batch, step: int) -> dict[str, torch.Tensor]:
        """Take a step of the autoencoders, of the critics, and of the perturbations."""
        noise = self.streams.normal("code noise", self.args.batch_size, self.vae.latent)
        imitation = self.vae.loss(batch.observations, batch.actions, noise)
        descend(self.optimizers["vae"], imitation)
        errors = self.values("critics", batch.observations, batch.actions) - self._targets(batch)[:, None]
        loss = 2.0 * per_run(errors.square())
        descend(self.optimizers["critics"], loss)
        figures = {"vae": imitation.detach(), "critics": loss.detach(), "perturbation": self._improve(batch)}
        for name in ("critics", "perturbation"):
            follow(self.networks[f"target_{name}"], self.networks[name], self.args.tau)
        return figures

    @torch.no_grad()
    def _targets(self, batch: Batch) -> torch.Tensor:
        """Return r + gamma max over sampled actions of the soft minimum of Q', as ``(R, B)``."""
        count = self.args.target_actions
        seen = batch.next_observations.repeat(1, count, 1)
        noise = self.streams.normal("target noise", seen.shape[1], self.vae.latent)
        actions = self.sample("target_perturbation", seen, noise)
        judged = soft_minimum(self.values("target_critics", seen, actions), self.args.min_share)
        return batch.rewards + self.args.gamma * batch.bootstrap * best_value(judged, count)

    def _improve(self, batch: Batch) -> torch.Tensor:
        """Take a step of the perturbations, and return their losses, as ``(R,)``."""
        noise = self.streams.normal("policy noise", self.args.batch_size, self.vae.latent)
        actions = self.sample("perturbation", batch.observations, noise)
        loss = -per_run(self.values("critics", batch.observations, actions)[:, 0])
        descend(self.optimizers["perturbation"], loss)
        return loss.detach()


def main(args: Args) -> list[OfflineEvaluation]:
    """Train all runs to the end, from the newest checkpoint if there is one, and return all evaluations."""
    return train("bcq", args, BCQ)


if __name__ == "__main__":
    run_script(main, Args)
