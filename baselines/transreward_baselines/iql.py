"""Implicit Q-learning, many runs at once: Kostrikov et al. 2022 (arXiv:2110.06169), the update in one file.

    transreward data build --pair Hopper-dara-mass --domain target --quality medium-expert
    python -m transreward_baselines.iql --pair Hopper-dara-mass --data <id> --seeds 0 1 2 3 4

V is the upper expectile of Q over the data's own actions, Q learns from V, and the policy imitates actions weighted by
exp(beta (Q - V)). As in its authors' code, rewards are scaled so that the best and the worst return of a run's data are
1,000 apart, or beta would mean something else in every task; and the actor's rate falls to nothing by a cosine, here
over `updates` and not over a million steps. It is constant in the target, as theirs is wherever they go on in one.
Deviations from the paper: observations are normalised, and Q learns from V as it was before V's step (both as in CORL);
runs of all datasets and seeds take each gradient step together, along a leading axis R, and a run's numbers are those
that it has alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from transreward_baselines.offline.args import OfflineArgs
from transreward_baselines.offline.data import Batch, OfflineData
from transreward_baselines.offline.evaluation import OfflineEvaluation
from transreward_baselines.offline.stacked import StackedMLP, descend, follow, per_run
from transreward_baselines.offline.streams import Streams
from transreward_baselines.offline.training import train
from transreward_baselines.script import run_script
from transreward_envs.errors import require_below_one, require_positive, require_share

MOST_WEIGHT = 100.0
"""Of an action that is imitated."""

LOG_STD_LIMITS = (-5.0, 2.0)


@dataclass(frozen=True, kw_only=True)
class Args(OfflineArgs):
    """Settings of IQL."""

    expectile: float = 0.7
    """Of the values: towards 1 those of the best actions in the data."""

    beta: float = 3.0
    """Inverse temperature of the advantage weights."""

    tau: float = 0.005
    """Share by which target critics move after each step."""

    learning_rate: float = 3e-4
    """Of Adam."""

    decay: bool = True
    """Whether the actor's rate falls to nothing by a cosine over `updates`, which cannot change then once runs have
    begun. In the target it is constant."""

    return_span: float | None = 1_000.0
    """What the best and the worst return of a run's data are to be apart, by the scale of rewards; `None` to take
    rewards as they are. So are they where all returns are equal. Runs that `start` from others keep the scale that
    values were learnt in."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("expectile", "beta", "learning_rate"):
            require_positive(name, getattr(self, name))
        require_below_one("expectile", self.expectile)
        require_share("tau", self.tau)
        if self.return_span is not None:
            require_positive("return_span", self.return_span)

    @property
    def keeps(self) -> tuple[str, ...]:
        """The number of updates, where rates depend on it."""
        return ("updates",) if self.decay else ()


class IQL:
    """Actors, values and twin critics of all runs, with the critics' targets."""

    def __init__(self, args: Args, data: OfflineData, streams: Streams) -> None:
        self.args, self.streams = args, streams
        seeds, hidden = [run.seed for run in args.runs], args.hidden
        observation, action = data.observation_size, data.action_size
        critics = [observation + action, hidden, hidden, 1]
        self.networks = nn.ModuleDict(
            {
                "actor": StackedMLP(seeds, [observation, hidden, hidden, action], name="actor"),
                "value": StackedMLP(seeds, [observation, hidden, hidden, 1], name="values"),
                "critics": StackedMLP(seeds, critics, name="critics", members=2),
                "target_critics": StackedMLP(seeds, critics, name="critics", members=2),
            }
        )
        self.networks["target_critics"].requires_grad_(False)
        self.networks.register_buffer("reward_scale", self._reward_scale(data))
        rate = torch.tensor(args.learning_rate, dtype=torch.float64, device="cpu")  # a tensor, which `schedule` fills
        self.log_std = nn.Parameter(torch.zeros(len(seeds), 1, action))
        self.networks["log_std"] = nn.ParameterList([self.log_std])
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(parameters, lr=rate.clone(), fused=True)
            for name, parameters in {
                "actor": [*self.networks["actor"].parameters(), self.log_std],
                "value": list(self.networks["value"].parameters()),
                "critics": list(self.networks["critics"].parameters()),
            }.items()
        }

    def _reward_scale(self, data: OfflineData) -> torch.Tensor:
        """Return what each run's rewards are multiplied by, as ``(R, 1)``."""
        spans = data.return_spans()[:, None]
        if self.args.return_span is None:
            return torch.ones_like(spans)
        return torch.where(spans > 0.0, self.args.return_span / spans, 1.0)

    def act(self, observations: torch.Tensor) -> torch.Tensor:
        """Return the actors' means, as ``(R, B, action_size)``."""
        return torch.tanh(self.networks["actor"](observations))

    def explore(self, observations: torch.Tensor) -> torch.Tensor:
        """Return drawn actions, as ``(R, B, action_size)``, to be clipped to the box."""
        noise = self.streams.normal("explored", *observations.shape[1:-1], self.log_std.shape[-1])
        return self.act(observations) + self.log_std.clamp(*LOG_STD_LIMITS).exp() * noise

    def schedule(self, step: int) -> None:
        """Set the actors' rate, in place: a compiled step would be compiled anew for each number."""
        args = self.args
        falls = args.decay and step < args.updates
        share = 0.5 * (1.0 + math.cos(math.pi * step / args.updates)) if falls else 1.0
        for group in self.optimizers["actor"].param_groups:
            group["lr"].fill_(share * args.learning_rate)

    def update(self, batch: Batch, step: int) -> dict[str, torch.Tensor]:
        """Take a step of the values, the actors and the critics."""
        pairs = torch.cat([batch.observations, batch.actions], dim=-1)
        with torch.no_grad():
            judged = self.networks["target_critics"](pairs)[..., 0].min(dim=1).values
            following = self.networks["value"](batch.next_observations)[..., 0]
            rewards = self.networks.get_buffer("reward_scale") * batch.rewards
            targets = rewards + self.args.gamma * batch.bootstrap * following
        advantages = judged - self.networks["value"](batch.observations)[..., 0]
        weight = torch.where(advantages > 0.0, self.args.expectile, 1.0 - self.args.expectile)
        value_loss = per_run(weight * advantages.square())
        descend(self.optimizers["value"], value_loss)
        actor_loss = self._imitation(batch, advantages.detach())
        descend(self.optimizers["actor"], actor_loss)
        errors = self.networks["critics"](pairs)[..., 0] - targets[:, None]
        critic_loss = per_run(errors.square())
        descend(self.optimizers["critics"], critic_loss)
        follow(self.networks["target_critics"], self.networks["critics"], self.args.tau)
        losses = {"value": value_loss, "actor": actor_loss, "critics": critic_loss}
        return {name: loss.detach() for name, loss in losses.items()}

    def _imitation(self, batch: Batch, advantages: torch.Tensor) -> torch.Tensor:
        """Return minus the weighted log-density of the data's actions, as ``(R,)``."""
        weight = (self.args.beta * advantages).exp().clamp(max=MOST_WEIGHT)
        log_std = self.log_std.clamp(*LOG_STD_LIMITS)
        distance = (batch.actions - self.act(batch.observations)) / log_std.exp()
        log_density = -(0.5 * distance.square() + log_std).sum(dim=-1)
        return -per_run(weight * log_density)


def main(args: Args) -> list[OfflineEvaluation]:
    """Train all runs to the end, from the newest checkpoint if there is one, and return all evaluations."""
    return train("iql", args, IQL)


if __name__ == "__main__":
    run_script(main, Args)
