"""BRAC with a policy penalty, many runs at once: Wu et al. 2019 (arXiv:1911.11361), the update in one file.

    transreward data build --pair Hopper-dara-mass --domain target --quality medium-expert
    python -m transreward_baselines.brac_p --pair Hopper-dara-mass --data <id> --seeds 0 1 2 3 4

The actor maximises min Q(s, a) - alpha KL(pi, b) at each s, b a clone of the policy behind the data. Deviations from
the paper: observations are normalised; the KL in its primal form E_pi[log pi - log b] is exact, not an average of
draws, since squashing changes neither side; b is cloned alongside, and for the first steps the actor follows it alone;
runs of all datasets and seeds take each gradient step together, along a leading axis R, and a run's numbers are those
that it has alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from transreward_baselines.offline.args import OfflineArgs
from transreward_baselines.offline.data import Batch, OfflineData
from transreward_baselines.offline.evaluation import OfflineEvaluation
from transreward_baselines.offline.gaussian import SquashedGaussian, divergence
from transreward_baselines.offline.stacked import StackedMLP, descend, follow, per_run, values_of
from transreward_baselines.offline.streams import Streams
from transreward_baselines.offline.training import train
from transreward_baselines.script import run_script
from transreward_envs.errors import require_count, require_non_negative, require_positive, require_share


@dataclass(frozen=True, kw_only=True)
class Args(OfflineArgs):
    """Settings of BRAC-p."""

    alpha: float = 10.0
    """Weight of the divergence against the value."""

    warmup: int | None = None
    """First steps, in which the actor comes close to the clone and values do not count.
    When left out, a tenth of `updates`, 10,000 at most, and none in runs that `start` from others."""

    tau: float = 0.005
    """Share by which target critics move after each step."""

    learning_rate: float = 1e-3
    """Of the critics' and clones' Adam."""

    policy_learning_rate: float = 1e-4
    """Of the actors' Adam."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("learning_rate", "policy_learning_rate"):
            require_positive(name, getattr(self, name))
        require_non_negative("alpha", self.alpha)
        if self.warmup is not None:
            require_count("warmup", self.warmup)
        require_share("tau", self.tau)


class BRACP:
    """Stochastic actors, clones of the data's policies and twin critics of all runs, with the critics' targets."""

    def __init__(self, args: Args, data: OfflineData, streams: Streams) -> None:
        self.args, self.streams = args, streams
        self.first_steps = args.first_steps(args.warmup, share=10, most=10_000)
        seeds, hidden = [run.seed for run in args.runs], args.hidden
        observation, action = data.observation_size, data.action_size
        self.actor, self.clone = (
            SquashedGaussian(seeds, [observation, hidden, hidden, action], name=name) for name in ("actor", "clone")
        )
        networks: dict[str, nn.Module] = {"actor": self.actor, "clone": self.clone}
        for name in ("critics", "target_critics"):
            networks[name] = StackedMLP(seeds, [observation + action, hidden, hidden, 1], name="critics", members=2)
        self.networks = nn.ModuleDict(networks)
        self.networks["target_critics"].requires_grad_(False)
        rates = {"actor": args.policy_learning_rate, "clone": args.learning_rate, "critics": args.learning_rate}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(self.networks[name].parameters(), lr=rate, fused=True)
            for name, rate in rates.items()
        }

    def act(self, observations: torch.Tensor) -> torch.Tensor:
        """Return the actors' squashed means, as ``(R, B, action_size)``."""
        return self.actor.mean_action(observations)

    def explore(self, observations: torch.Tensor) -> torch.Tensor:
        """Return drawn actions, as ``(R, B, action_size)``."""
        return self.actor.sample(observations, self.streams, "explored")[0]

    def values(self, name: str, observations: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Return what both critics of each run say, as ``(R, 2, B)``."""
        return values_of(self.networks[name], observations, actions)

    def update(self, batch: Batch, step: int) -> dict[str, torch.Tensor]:
        """Take a step of the clones, the critics and the actors."""
        clone_loss = -per_run(self.clone.log_density(batch.observations, batch.actions))
        descend(self.optimizers["clone"], clone_loss)
        errors = self.values("critics", batch.observations, batch.actions) - self._targets(batch)[:, None]
        critic_loss = 2.0 * per_run(errors.square())
        descend(self.optimizers["critics"], critic_loss)
        distance = self._improve(batch, values_count=step >= self.first_steps)
        follow(self.networks["target_critics"], self.networks["critics"], self.args.tau)
        return {"clone": clone_loss.detach(), "critics": critic_loss.detach(), "divergence": distance}

    @torch.no_grad()
    def _targets(self, batch: Batch) -> torch.Tensor:
        """Return r + gamma min Q'(s', a'), a' the policy's, as ``(R, B)``."""
        chosen, _ = self.actor.sample(batch.next_observations, self.streams, "target")
        following = self.values("target_critics", batch.next_observations, chosen).min(dim=1).values
        return batch.rewards + self.args.gamma * batch.bootstrap * following

    def _improve(self, batch: Batch, *, values_count: bool) -> torch.Tensor:
        """Take a step of the actors, and return their distance from the clones [nats], as ``(R,)``."""
        distance = per_run(divergence(self.actor, self.clone, batch.observations))
        loss = self.args.alpha * distance
        if values_count:
            chosen, _ = self.actor.sample(batch.observations, self.streams, "actor")
            loss = loss - per_run(self.values("critics", batch.observations, chosen).min(dim=1).values)
        descend(self.optimizers["actor"], loss)
        return distance.detach()


def main(args: Args) -> list[OfflineEvaluation]:
    """Train all runs to the end, from the newest checkpoint if there is one, and return all evaluations."""
    return train("brac_p", args, BRACP)


if __name__ == "__main__":
    run_script(main, Args)
