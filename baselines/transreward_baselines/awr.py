"""Advantage-weighted regression, many runs at once: Peng et al. 2019 (arXiv:1910.00177), the update in one file.

    transreward data build --pair Hopper-dara-mass --domain target --quality medium-expert
    python -m transreward_baselines.awr --pair Hopper-dara-mass --data <id> --seeds 0 1 2 3 4

V learns the data's returns to go G, and the policy, of a fixed deviation, imitates actions weighted by
exp((G - V) / beta), with advantages standardised as in the authors' program, but over a batch and not over all data.
Deviations from the paper: observations are normalised; G is the whole return, with V in place of what lies beyond an
episode's cut end, not TD(lambda); steps are Adam's, of values and policies together; runs of all datasets and seeds
take each gradient step together, along a leading axis R, and a run's numbers are those that it has alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from transreward_baselines.offline.args import OfflineArgs
from transreward_baselines.offline.data import Batch, OfflineData
from transreward_baselines.offline.evaluation import OfflineEvaluation
from transreward_baselines.offline.stacked import StackedMLP, descend, per_run
from transreward_baselines.offline.streams import Streams
from transreward_baselines.offline.training import train
from transreward_baselines.offline.weights import advantage_weights
from transreward_baselines.script import run_script
from transreward_envs.errors import require_below_one, require_positive


@dataclass(frozen=True, kw_only=True)
class Args(OfflineArgs):
    """Settings of AWR."""

    beta: float = 1.0
    """Temperature of the weights, in deviations of the advantages."""

    learning_rate: float = 3e-4
    """Of Adam."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("beta", "learning_rate"):
            require_positive(name, getattr(self, name))
        require_below_one("gamma", self.gamma)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReturnsToGo:
    """What each of ``N`` transitions was followed by in its episode."""

    sums: torch.Tensor
    """Discounted rewards from the transition on to the episode's end, as ``(N,)``."""

    beyond: torch.Tensor
    """By how much a value after the end counts: 0 where the task ended there, as ``(N,)``."""

    ends: torch.Tensor
    """Position of the episode's last transition, as ``(N,)``."""


class AWR:
    """Actors and values of all runs."""

    def __init__(self, args: Args, data: OfflineData, streams: Streams) -> None:
        self.args, self.data = args, data
        seeds, hidden = [run.seed for run in args.runs], args.hidden
        observation, action = data.observation_size, data.action_size
        self.networks = nn.ModuleDict(
            {
                "actor": StackedMLP(seeds, [observation, hidden, hidden, action], name="actor"),
                "value": StackedMLP(seeds, [observation, hidden, hidden, 1], name="values"),
            }
        )
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(network.parameters(), lr=args.learning_rate, fused=True)
            for name, network in self.networks.items()
        }
        self.revise()

    def act(self, observations: torch.Tensor) -> torch.Tensor:
        """Return the actors' means, as ``(R, B, action_size)``."""
        return torch.tanh(self.networks["actor"](observations))

    def values(self, observations: torch.Tensor) -> torch.Tensor:
        """Return what states are worth, as ``(R, B)``; networks say it in units of 1 / (1 - gamma)."""
        found: torch.Tensor = self.networks["value"](observations)[..., 0] / (1.0 - self.args.gamma)
        return found

    def update(self, batch: Batch, step: int) -> dict[str, torch.Tensor]:
        """Take a step of the values and one of the actors."""
        errors = self.targets(batch.where) - self.values(batch.observations)
        value_loss = per_run((errors * (1.0 - self.args.gamma)).square())
        descend(self.optimizers["value"], value_loss)
        weight = advantage_weights(errors.detach(), self.args.beta)
        distance = (self.act(batch.observations) - batch.actions).square().sum(dim=-1)
        actor_loss = per_run(weight * distance)
        descend(self.optimizers["actor"], actor_loss)
        return {"value": value_loss.detach(), "actor": actor_loss.detach(), "weight": per_run(weight)}

    def revise(self) -> None:
        """Count all returns to go anew; the newest transition that a run has met itself counts as a cut end."""
        rewards, terminated, truncated = (self.data.arrays[name] for name in ("rewards", "terminated", "truncated"))
        if self.data.fresh is not None:
            truncated = truncated.clone()
            truncated[self.data.fresh.newest()] = 1.0
        self.to_go = returns_to_go(rewards, terminated, truncated, gamma=self.args.gamma)

    @torch.no_grad()
    def targets(self, where: torch.Tensor) -> torch.Tensor:
        """Return the returns to go of the transitions at positions ``(R, B)``, as ``(R, B)``."""
        last = self.data.arrays["next_observations"][self.to_go.ends[where]]
        beyond = self.to_go.beyond[where] * self.values(self.data.normalised(last))
        return self.to_go.sums[where] + beyond


def returns_to_go(
    rewards: torch.Tensor, terminated: torch.Tensor, truncated: torch.Tensor, *, gamma: float
) -> ReturnsToGo:
    """Return what each transition was followed by.

    Args:
        rewards: Of transitions in the order of their episodes, as ``(N,)``.
        terminated: 1 where the task ended, as ``(N,)``.
        truncated: 1 where an episode ended otherwise, as ``(N,)``; so does the last of all.
        gamma: Discount.
    """
    index = torch.arange(len(rewards), device=rewards.device)
    ended = (terminated + truncated > 0.0) | (index == index[-1])
    last = index[ended]
    ends = last[torch.searchsorted(last, index)]
    left = ends - index + 1
    sums, reach = rewards.double(), 1
    while reach < int(left.max()):  # sums reach so many transitions ahead, and then twice as many
        further = sums[(index + reach).clamp(max=len(index) - 1)]
        sums = sums + torch.where(left > reach, gamma**reach * further, 0.0)
        reach *= 2
    beyond = (1.0 - terminated[ends].double()) * gamma ** left.double()
    return ReturnsToGo(sums=sums.float(), beyond=beyond.float(), ends=ends)


def main(args: Args) -> list[OfflineEvaluation]:
    """Train all runs to the end, from the newest checkpoint if there is one, and return all evaluations."""
    return train("awr", args, AWR)


if __name__ == "__main__":
    run_script(main, Args)
