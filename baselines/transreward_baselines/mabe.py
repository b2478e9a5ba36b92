"""MABE, many runs at once: Cang et al. 2021 (arXiv:2106.09119), the update in one file.

    transreward data build --pair Hopper-dara-mass --domain target --quality medium-expert
    python -m transreward_baselines.mabe --pair Hopper-dara-mass --data <id> --seeds 0 1 2 3 4

A behavioural prior b imitates the data's actions weighted by exp(A / beta), critics learn from data and from branches
in world models, and the actor maximises min Q(s, a) - alpha KL(pi, b) at the states of both: nearness to the prior
takes the place of a penalty of the models' uncertainty. The models are MOPO's, and end where the target's task does.
Choices of this script, in which the authors' program may differ: observations are normalised; A is min Q' of the action
less its mean over the prior's own, standardised over a batch; the prior is learnt alongside, by equal weights for the
first steps, in which the actor follows it alone; alpha is fixed, and the share of data in a batch is MOPO's. Runs of
all datasets and seeds take each gradient step together, models too, along a leading axis R, and a run's numbers are
those that it has alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from transreward_baselines.offline.data import Batch, OfflineData
from transreward_baselines.offline.evaluation import OfflineEvaluation
from transreward_baselines.offline.gaussian import SquashedGaussian, divergence
from transreward_baselines.offline.model_based import ModelArgs, WorldModels
from transreward_baselines.offline.stacked import StackedMLP, descend, follow, per_run, values_of
from transreward_baselines.offline.streams import Streams
from transreward_baselines.offline.training import train
from transreward_baselines.offline.weights import advantage_weights
from transreward_baselines.script import run_script
from transreward_envs.errors import require_count, require_non_negative, require_positive, require_share


@dataclass(frozen=True, kw_only=True)
class Args(ModelArgs):
    """Settings of MABE."""

    alpha: float = 10.0
    """Weight of the divergence from the prior against the value; that of BRAC-p here."""

    beta: float = 1.0
    """Temperature of the prior's weights, in deviations of the advantages."""

    baseline_actions: int = 4
    """The prior's actions that an action's advantage is measured against."""

    warmup: int | None = None
    """First steps, in which the prior imitates all actions alike, and the actor comes close to it.
    When left out, a tenth of `updates`, 10,000 at most, and none in runs that `start` from others."""

    penalty: float = 0.0
    """Weight of the models' uncertainty in imagined rewards."""

    tau: float = 0.005
    """Share by which target critics move after each step."""

    learning_rate: float = 3e-4
    """Of Adam, but for the models."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("beta", "learning_rate"):
            require_positive(name, getattr(self, name))
        for name in ("alpha", "penalty"):
            require_non_negative(name, getattr(self, name))
        require_count("baseline_actions", self.baseline_actions, at_least=1)
        if self.warmup is not None:
            require_count("warmup", self.warmup)
        require_share("tau", self.tau)


class MABE:
    """World models, stochastic actors, behavioural priors and twin critics of all runs, with the critics' targets."""

    def __init__(self, args: Args, data: OfflineData, streams: Streams) -> None:
        self.args, self.streams = args, streams
        self.first_steps = args.first_steps(args.warmup, share=10, most=10_000)
        seeds, hidden = [run.seed for run in args.runs], args.hidden
        observation, action = data.observation_size, data.action_size
        self.models = WorldModels(args, data, streams, penalty=args.penalty)
        self.actor, self.prior = (
            SquashedGaussian(seeds, [observation, hidden, hidden, action], name=name) for name in ("actor", "prior")
        )
        networks: dict[str, nn.Module] = {"models": self.models, "actor": self.actor, "prior": self.prior}
        for name in ("critics", "target_critics"):
            networks[name] = StackedMLP(seeds, [observation + action, hidden, hidden, 1], name="critics", members=2)
        self.networks = nn.ModuleDict(networks)
        self.networks["target_critics"].requires_grad_(False)
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(self.networks[name].parameters(), lr=args.learning_rate, fused=True)
            for name in ("actor", "prior", "critics")
        }

    def prepare(self, directory: Path | None) -> None:
        """Fit the models, from what the directory keeps, if anything."""
        self.models.fit(directory)

    def act(self, observations: torch.Tensor) -> torch.Tensor:
        """Return the actors' squashed means, as ``(R, B, action_size)``."""
        return self.actor.mean_action(observations)

    def explore(self, observations: torch.Tensor, name: str = "explored") -> torch.Tensor:
        """Return drawn actions, as ``(R, B, action_size)``, by the streams of that name."""
        return self.actor.sample(observations, self.streams, name)[0]

    def values(self, name: str, observations: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Return what both critics of each run say, as ``(R, 2, B)``."""
        return values_of(self.networks[name], observations, actions)

    def update(self, batch: Batch, step: int) -> dict[str, torch.Tensor]:
        """Imagine where it is time to, and take a step of the priors, the critics and the actors."""
        warm = step >= self.first_steps
        weights = self.weights(batch) if warm else torch.ones_like(batch.rewards)
        prior_loss = -per_run(weights * self.prior.log_density(batch.observations, batch.actions))
        descend(self.optimizers["prior"], prior_loss)
        mixed = self.models.mixed(batch, step, lambda seen: self.explore(seen, "imagined"))
        errors = self.values("critics", mixed.observations, mixed.actions) - self._targets(mixed)[:, None]
        critic_loss = 2.0 * per_run(errors.square())
        descend(self.optimizers["critics"], critic_loss)
        distance = self._improve(mixed, values_count=warm)
        follow(self.networks["target_critics"], self.networks["critics"], self.args.tau)
        return {"prior": prior_loss.detach(), "critics": critic_loss.detach(), "divergence": distance}

    @torch.no_grad()
    def weights(self, batch: Batch) -> torch.Tensor:
        """Return how much the prior imitates each of the data's actions, as ``(R, B)``."""
        count = self.args.baseline_actions
        own, _ = self.prior.sample(batch.observations, self.streams, "baseline", count)
        usual = self.values("target_critics", batch.observations.repeat(1, count, 1), own).min(dim=1).values
        taken = self.values("target_critics", batch.observations, batch.actions).min(dim=1).values
        return advantage_weights(taken - torch.unflatten(usual, 1, (count, -1)).mean(dim=1), self.args.beta)

    @torch.no_grad()
    def _targets(self, batch: Batch) -> torch.Tensor:
        """Return r + gamma min Q'(s', a'), a' the policy's, as ``(R, B)``."""
        chosen, _ = self.actor.sample(batch.next_observations, self.streams, "target")
        following = self.values("target_critics", batch.next_observations, chosen).min(dim=1).values
        return batch.rewards + self.args.gamma * batch.bootstrap * following

    def _improve(self, batch: Batch, *, values_count: bool) -> torch.Tensor:
        """Take a step of the actors, and return their distance from the priors [nats], as ``(R,)``."""
        distance = per_run(divergence(self.actor, self.prior, batch.observations))
        loss = self.args.alpha * distance
        if values_count:
            chosen, _ = self.actor.sample(batch.observations, self.streams, "actor")
            loss = loss - per_run(self.values("critics", batch.observations, chosen).min(dim=1).values)
        descend(self.optimizers["actor"], loss)
        return distance.detach()


def main(args: Args) -> list[OfflineEvaluation]:
    """Train all runs to the end, from the newest checkpoint if there is one, and return all evaluations."""
    return train("mabe", args, MABE)


if __name__ == "__main__":
    run_script(main, Args)
