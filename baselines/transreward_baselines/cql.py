"""Conservative Q-learning, many runs at once: Kumar et al. 2020 (arXiv:2006.04779), the update in one file.

    transreward data build --pair Hopper-dara-mass --domain target --quality medium-expert
    python -m transreward_baselines.cql --pair Hopper-dara-mass --data <id> --seeds 0 1 2 3 4

SAC whose critics also descend alpha (log sum_a exp Q(s, a) - Q(s, a of the data)): the sum, an integral over all
actions, is estimated from uniform ones and from the policy's at s and s', each over its density. Settings are those
that CORL has for MuJoCo: a fixed alpha, no entropy in targets. Deviations from it: initial weights uniform by a layer's
inputs, not orthogonal; a policy's log-deviations are squashed into [-5, 2], not scaled, moved and cut; the actor's step
comes after the critics'; runs of all datasets and seeds take each gradient step together, along a leading axis R, and a
run's numbers are those that it has alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from transreward_baselines.offline.args import OfflineArgs
from transreward_baselines.offline.data import Batch, OfflineData
from transreward_baselines.offline.evaluation import OfflineEvaluation
from transreward_baselines.offline.gaussian import SquashedGaussian
from transreward_baselines.offline.stacked import StackedMLP, descend, follow, per_run, values_of
from transreward_baselines.offline.streams import Streams
from transreward_baselines.offline.training import train
from transreward_baselines.script import run_script
from transreward_envs.errors import require_count, require_non_negative, require_positive, require_share


@dataclass(frozen=True, kw_only=True)
class Args(OfflineArgs):
    """Settings of CQL."""

    alpha: float = 10.0
    """Weight of the conservative penalty."""

    draws: int = 10
    """Actions of each of the three kinds that the penalty is estimated from, at each observation."""

    layers: int = 3
    """Hidden layers of each network."""

    tau: float = 0.005
    """Share by which target critics move after each step."""

    learning_rate: float = 3e-4
    """Of the critics' Adam."""

    policy_learning_rate: float = 3e-5
    """Of the actors' and temperatures' Adam."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("learning_rate", "policy_learning_rate"):
            require_positive(name, getattr(self, name))
        require_non_negative("alpha", self.alpha)
        for name in ("draws", "layers"):
            require_count(name, getattr(self, name), at_least=1)
        require_share("tau", self.tau)

    @property
    def actions_each(self) -> int:
        """Actions for each transition of a batch in the largest pass that is learned from."""
        return 3 * self.draws


class CQL:
    """Stochastic actors, their temperatures and twin critics of all runs, with the critics' targets."""

    def __init__(self, args: Args, data: OfflineData, streams: Streams) -> None:
        self.args, self.streams = args, streams
        seeds, hidden = [run.seed for run in args.runs], [args.hidden] * args.layers
        observation, action = data.observation_size, data.action_size
        self.actor = SquashedGaussian(seeds, [observation, *hidden, action], name="actor")
        self.log_temperature = nn.Parameter(torch.zeros(len(seeds)))
        networks: dict[str, nn.Module] = {"actor": self.actor, "temperature": nn.ParameterList([self.log_temperature])}
        for name in ("critics", "target_critics"):
            networks[name] = StackedMLP(seeds, [observation + action, *hidden, 1], name="critics", members=2)
        self.networks = nn.ModuleDict(networks)
        self.networks["target_critics"].requires_grad_(False)
        rates = {
            "actor": args.policy_learning_rate,
            "temperature": args.policy_learning_rate,
            "critics": args.learning_rate,
        }
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
        """Take a step of the critics, the actors and the temperatures."""
        targets = self._targets(batch)
        known = self.values("critics", batch.observations, batch.actions)
        error = 2.0 * per_run((known - targets[:, None]).square())
        gap = per_run(self.soft_maxima(batch) - known)
        descend(self.optimizers["critics"], error + 2.0 * self.args.alpha * gap)
        figures = {"critics": error.detach(), "gap": gap.detach(), **self._improve(batch)}
        follow(self.networks["target_critics"], self.networks["critics"], self.args.tau)
        return figures

    def soft_maxima(self, batch: Batch) -> torch.Tensor:
        """Return estimates of both critics' log integral of exp Q(s, a) over all actions, as ``(R, 2, B)``."""
        actions, log_densities = self._proposals(batch)
        count = 3 * self.args.draws
        values = self.values("critics", batch.observations.repeat(1, count, 1), actions)
        ratios = values - log_densities[:, None]
        return ratios.view(*ratios.shape[:2], count, -1).logsumexp(dim=2) - math.log(count)

    @torch.no_grad()
    def _proposals(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return uniform actions and the policy's at s and at s', draw after draw, and their log-densities."""
        count, (_, size, width) = self.args.draws, batch.actions.shape
        uniform = 2.0 * self.streams.uniform("uniform", count * size, width) - 1.0
        here = self.actor.sample(batch.observations, self.streams, "here", count)
        there = self.actor.sample(batch.next_observations, self.streams, "there", count)
        flat = torch.full_like(here[1], -width * math.log(2.0))
        return torch.cat([uniform, here[0], there[0]], dim=1), torch.cat([flat, here[1], there[1]], dim=1)

    @torch.no_grad()
    def _targets(self, batch: Batch) -> torch.Tensor:
        """Return r + gamma min Q'(s', a'), a' the policy's, as ``(R, B)``."""
        chosen, _ = self.actor.sample(batch.next_observations, self.streams, "target")
        following = self.values("target_critics", batch.next_observations, chosen).min(dim=1).values
        return batch.rewards + self.args.gamma * batch.bootstrap * following

    def _improve(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Take a step of the actors towards value and entropy, and one of the temperatures towards their target."""
        chosen, log_densities = self.actor.sample(batch.observations, self.streams, "actor")
        value = self.values("critics", batch.observations, chosen).min(dim=1).values
        temperature = self.log_temperature.detach().exp()
        loss = temperature * per_run(log_densities) - per_run(value)
        descend(self.optimizers["actor"], loss)
        excess = per_run(log_densities.detach()) - batch.actions.shape[-1]  # the target entropy is -action_size
        descend(self.optimizers["temperature"], -self.log_temperature * excess)
        return {"actor": loss.detach(), "temperature": temperature}


def main(args: Args) -> list[OfflineEvaluation]:
    """Train all runs to the end, from the newest checkpoint if there is one, and return all evaluations."""
    return train("cql", args, CQL)


if __name__ == "__main__":
    run_script(main, Args)
