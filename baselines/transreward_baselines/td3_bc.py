"""TD3+BC, many runs at once: Fujimoto and Gu 2021 (arXiv:2106.06860), the update in one file.

    transreward data build --pair Hopper-dara-mass --domain target --quality medium-expert
    python -m transreward_baselines.td3_bc --pair Hopper-dara-mass --data <id> --seeds 0 1 2 3 4

The actor maximises lambda Q(s, pi(s)) - (pi(s) - a)^2, lambda = alpha / mean |Q|. Deviations from the paper: none in
the method; runs of all datasets and seeds take each gradient step together, along a leading axis R, and a run's numbers
are those that it has alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from transreward_baselines.offline.args import OfflineArgs
from transreward_baselines.offline.data import Batch, OfflineData
from transreward_baselines.offline.evaluation import OfflineEvaluation
from transreward_baselines.offline.stacked import StackedMLP, descend, follow, per_run, values_of
from transreward_baselines.offline.streams import Streams
from transreward_baselines.offline.training import train
from transreward_baselines.script import run_script
from transreward_envs.errors import require_count, require_non_negative, require_positive, require_share


@dataclass(frozen=True, kw_only=True)
class Args(OfflineArgs):
    """Settings of TD3+BC."""

    alpha: float = 2.5
    """Weight of the value against imitation."""

    tau: float = 0.005
    """Share by which targets move after each step of the actor."""

    policy_noise: float = 0.2
    """Deviation of the noise on target actions."""

    noise_clip: float = 0.5
    """Bound of that noise."""

    policy_every: int = 2
    """Steps of the critics for each of the actor."""

    learning_rate: float = 3e-4
    """Of Adam."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("alpha", "learning_rate"):
            require_positive(name, getattr(self, name))
        for name in ("policy_noise", "noise_clip"):
            require_non_negative(name, getattr(self, name))
        require_share("tau", self.tau)
        require_count("policy_every", self.policy_every, at_least=1)


class TD3BC:
    """Actors and twin critics of all runs, with their targets."""

    def __init__(self, args: Args, data: OfflineData, streams: Streams) -> None:
        self.args, self.streams = args, streams
        seeds, hidden = [run.seed for run in args.runs], args.hidden
        observation, action = data.observation_size, data.action_size
        networks = {}
        for name in ("actor", "target_actor"):
            networks[name] = StackedMLP(seeds, [observation, hidden, hidden, action], name="actor")
        for name in ("critics", "target_critics"):
            networks[name] = StackedMLP(seeds, [observation + action, hidden, hidden, 1], name="critics", members=2)
        self.networks = nn.ModuleDict(networks)
        for name in ("target_actor", "target_critics"):
            self.networks[name].requires_grad_(False)
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(self.networks[name].parameters(), lr=args.learning_rate, fused=True)
            for name in ("actor", "critics")
        }

    def act(self, observations: torch.Tensor) -> torch.Tensor:
        """Return the actors' actions, as ``(R, B, action_size)``."""
        return torch.tanh(self.networks["actor"](observations))

    def values(self, name: str, observations: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Return what both critics of each run say, as ``(R, 2, B)``."""
        return values_of(self.networks[name], observations, actions)

    def update(self, batch: Batch, step: int) -> dict[str, torch.Tensor]:
        """Take a step of the critics, and at some steps one of the actors."""
        targets = self._targets(batch)
        errors = self.values("critics", batch.observations, batch.actions) - targets[:, None]
        loss = 2.0 * per_run(errors.square())
        descend(self.optimizers["critics"], loss)
        figures = {"critics": loss.detach()}
        if (step + 1) % self.args.policy_every == 0:
            figures["actor"] = self._improve(batch)
            follow(self.networks["target_critics"], self.networks["critics"], self.args.tau)
            follow(self.networks["target_actor"], self.networks["actor"], self.args.tau)
        return figures

    @torch.no_grad()
    def _targets(self, batch: Batch) -> torch.Tensor:
        """Return r + gamma min Q'(s', pi'(s') + noise), as ``(R, B)``."""
        args = self.args
        noise = self.streams.normal("target noise", *batch.actions.shape[1:]) * args.policy_noise
        smoothed = torch.tanh(self.networks["target_actor"](batch.next_observations))
        smoothed = (smoothed + noise.clamp(-args.noise_clip, args.noise_clip)).clamp(-1.0, 1.0)
        following = self.values("target_critics", batch.next_observations, smoothed).min(dim=1).values
        return batch.rewards + args.gamma * batch.bootstrap * following

    def _improve(self, batch: Batch) -> torch.Tensor:
        """Take a step of the actors, and return their losses, as ``(R,)``."""
        chosen = self.act(batch.observations)
        value = self.values("critics", batch.observations, chosen)[:, 0]
        weight = self.args.alpha / per_run(value.detach().abs())
        loss = per_run((chosen - batch.actions).square()) - weight * per_run(value)
        descend(self.optimizers["actor"], loss)
        return loss.detach()


def main(args: Args) -> list[OfflineEvaluation]:
    """Train all runs to the end, from the newest checkpoint if there is one, and return all evaluations."""
    return train("td3_bc", args, TD3BC)


if __name__ == "__main__":
    run_script(main, Args)
