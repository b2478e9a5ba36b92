"""BEAR, many runs at once: Kumar et al. 2019 (arXiv:1906.00949), the update in one file.

    transreward data build --pair Hopper-dara-mass --domain target --quality medium-expert
    python -m transreward_baselines.bear --pair Hopper-dara-mass --data <id> --seeds 0 1 2 3 4

A Gaussian policy maximises min Q under a bound on its maximum mean discrepancy from a conditional autoencoder of the
data, held by a learned multiplier; targets take the best of 10 of its actions by 0.75 min Q + 0.25 max Q, and it acts
by the best of 10 by the first critic. Deviations from the paper: observations are normalised, no term of the critics'
deviation, all networks are as wide as each other and learn at one rate, and the noise of the 10 actions is drawn once,
so that the policy is a function of the observation. Runs of all datasets and seeds take each gradient step together,
along a leading axis R, and a run's numbers are those that it has alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from transreward_baselines.offline.args import OfflineArgs
from transreward_baselines.offline.candidates import best_action, best_value, soft_minimum
from transreward_baselines.offline.data import Batch, OfflineData
from transreward_baselines.offline.evaluation import OfflineEvaluation
from transreward_baselines.offline.gaussian import SquashedGaussian
from transreward_baselines.offline.stacked import StackedMLP, descend, follow, per_run, values_of
from transreward_baselines.offline.streams import Streams
from transreward_baselines.offline.training import train
from transreward_baselines.offline.vae import StackedVAE
from transreward_baselines.script import run_script
from transreward_envs.errors import require_count, require_positive, require_share, unknown

LOG_MULTIPLIER_LIMITS = (-5.0, 10.0)
"""Between which the multipliers' logarithms lie."""

KERNELS = ("laplacian", "gaussian")


@dataclass(frozen=True, kw_only=True)
class Args(OfflineArgs):
    """Settings of BEAR."""

    kernel: Literal["laplacian", "gaussian"] = "laplacian"
    """Of the discrepancy: exp(-|u - v|_1 / 2 width) or exp(-|u - v|^2 / 2 width), on actions before tanh."""

    width: float = 20.0
    """Of that kernel."""

    threshold: float = 0.05
    """Bound of the discrepancy."""

    matched_actions: int = 4
    """Actions of policy and data each of which the discrepancy is measured."""

    min_share: float = 0.75
    """Weight of the lower critic in targets, against the higher."""

    target_actions: int = 10
    """Actions of which targets take the best."""

    acting_actions: int = 10
    """Actions of which the policy takes the best."""

    warmup: int | None = None
    """Steps in which the policy only comes close to the data.
    When left out, a fifth of `updates`, 20,000 at most, and none in runs that `start` from others."""

    tau: float = 0.005
    """Share by which targets move after each step."""

    learning_rate: float = 3e-4
    """Of Adam, but for the multipliers."""

    multiplier_rate: float = 1e-3
    """Of the multipliers' Adam."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernel not in KERNELS:
            raise ValueError(unknown("kernel", self.kernel, KERNELS))
        for name in ("width", "threshold", "learning_rate", "multiplier_rate"):
            require_positive(name, getattr(self, name))
        for name in ("min_share", "tau"):
            require_share(name, getattr(self, name))
        if self.warmup is not None:
            require_count("warmup", self.warmup)
        for name in ("matched_actions", "target_actions", "acting_actions"):
            require_count(name, getattr(self, name), at_least=1)

    @property
    def actions_each(self) -> int:
        """Actions for each transition of a batch in the largest pass that is learned from."""
        return self.matched_actions


class BEAR:
    """Autoencoders, policies, twin critics and multipliers of all runs, with targets of policies and critics."""

    def __init__(self, args: Args, data: OfflineData, streams: Streams) -> None:
        self.args, self.streams = args, streams
        self.first_steps = args.first_steps(args.warmup, share=5, most=20_000)
        seeds, hidden = [run.seed for run in args.runs], args.hidden
        observation, action = data.observation_size, data.action_size
        self.vae = StackedVAE(seeds, observation=observation, action=action, hidden=hidden)
        self.policy, self.target_policy = (
            SquashedGaussian(seeds, [observation, hidden, hidden, action], name="policy") for _ in range(2)
        )
        networks = {"vae": self.vae, "policy": self.policy, "target_policy": self.target_policy}
        for name in ("critics", "target_critics"):
            networks[name] = StackedMLP(seeds, [observation + action, hidden, hidden, 1], name="critics", members=2)
        self.log_multiplier = nn.Parameter(torch.zeros(len(seeds)))
        networks["log_multiplier"] = nn.ParameterList([self.log_multiplier])
        self.networks = nn.ModuleDict(networks)
        for name in ("target_policy", "target_critics"):
            self.networks[name].requires_grad_(False)
        rates = dict.fromkeys(("vae", "policy", "critics"), args.learning_rate) | {
            "log_multiplier": args.multiplier_rate
        }
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(self.networks[name].parameters(), lr=rate, fused=True)
            for name, rate in rates.items()
        }
        self._acting_noise = streams.normal("acting noise", args.acting_actions, action)

    def act(self, observations: torch.Tensor) -> torch.Tensor:
        """Return of several sampled actions those that the first critics value most, as ``(R, B, action_size)``."""
        count = self.args.acting_actions
        noise = self._acting_noise.repeat_interleave(observations.shape[1], dim=1)
        actions = torch.tanh(drawn(self.policy, observations, noise, count))
        return best_action(actions, self.values("critics", observations.repeat(1, count, 1), actions)[:, 0], count)

    def explore(self, observations: torch.Tensor) -> torch.Tensor:
        """Return drawn actions, as ``(R, B, action_size)``."""
        return self.policy.sample(observations, self.streams, "explored")[0]

    def values(self, name: str, observations: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Return what both critics of each run say, as ``(R, 2, B)``."""
        return values_of(self.networks[name], observations, actions)

    def update(self, batch: Batch, step: int) -> dict[str, torch.Tensor]:
        """Take a step of the autoencoders, of the critics, of the policies, and of the multipliers."""
        noise = self.streams.normal("code noise", batch.actions.shape[1], self.vae.latent)
        imitation = self.vae.loss(batch.observations, batch.actions, noise)
        descend(self.optimizers["vae"], imitation)
        errors = self.values("critics", batch.observations, batch.actions) - self._targets(batch)[:, None]
        loss = 2.0 * per_run(errors.square())
        descend(self.optimizers["critics"], loss)
        figures = {"vae": imitation.detach(), "critics": loss.detach()}
        figures |= self._improve(batch, by_value=step >= self.first_steps)
        for name in ("critics", "policy"):
            follow(self.networks[f"target_{name}"], self.networks[name], self.args.tau)
        return figures

    @torch.no_grad()
    def _targets(self, batch: Batch) -> torch.Tensor:
        """Return r + gamma max over the policy's actions of the soft minimum of Q', as ``(R, B)``."""
        count = self.args.target_actions
        seen = batch.next_observations.repeat(1, count, 1)
        noise = self.streams.normal("target noise", seen.shape[1], batch.actions.shape[2])
        actions = torch.tanh(drawn(self.target_policy, batch.next_observations, noise, count))
        judged = soft_minimum(self.values("target_critics", seen, actions), self.args.min_share)
        return batch.rewards + self.args.gamma * batch.bootstrap * best_value(judged, count)

    def _improve(self, batch: Batch, *, by_value: bool) -> dict[str, torch.Tensor]:
        """Take a step of the policies and one of the multipliers, and return figures of them, as ``(R,)`` each."""
        count = self.args.matched_actions
        seen = batch.observations.repeat(1, count, 1)
        noise = self.streams.normal("policy noise", seen.shape[1], batch.actions.shape[2])
        own = drawn(self.policy, batch.observations, noise, count)
        discrepancy = per_run(self._discrepancy(own, seen))
        loss = self.log_multiplier.detach().exp() * discrepancy
        if by_value:
            values = self.values("critics", seen, torch.tanh(own))
            loss = loss - per_run(torch.unflatten(values, 2, (count, -1)).mean(dim=2).amin(dim=1))
        descend(self.optimizers["policy"], loss)
        excess = discrepancy.detach() - self.args.threshold
        descend(self.optimizers["log_multiplier"], -self.log_multiplier.exp() * excess)
        with torch.no_grad():
            self.log_multiplier.clamp_(*LOG_MULTIPLIER_LIMITS)
        return {"policy": loss.detach(), "discrepancy": discrepancy.detach()}

    def _discrepancy(self, own: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """Return how far the policy's actions are from the data's at each observation, as ``(R, B)``."""
        noise = self.streams.normal("behaviour noise", seen.shape[1], self.vae.latent)
        with torch.no_grad():
            theirs = self.vae.sample(seen, noise)
        first, second = (torch.unflatten(one, 1, (self.args.matched_actions, -1)) for one in (own, theirs))
        squared = squared_discrepancy(first, second, self.args.kernel, self.args.width)
        return (squared.clamp(min=0.0) + 1e-6).sqrt()


def drawn(policy: SquashedGaussian, observations: torch.Tensor, noise: torch.Tensor, count: int) -> torch.Tensor:
    """Return ``count`` actions before tanh for each observation, as ``(R, count B, action_size)``."""
    means, log_std = (part.repeat(1, count, 1) for part in policy.law(observations))
    return means + log_std.exp() * noise


def squared_discrepancy(first: torch.Tensor, second: torch.Tensor, kernel: str, width: float) -> torch.Tensor:
    """Return the squared maximum mean discrepancy of ``(R, N, B, action_size)`` and ``(R, M, B, action_size)``.

    It is mean k(u, u') + mean k(v, v') - 2 mean k(u, v) over all pairs (Gretton et al. 2012), as ``(R, B)``.
    """

    def mean_kernel(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Return the mean of the kernel over all pairs, as ``(R, B)``."""
        apart = one[:, :, None] - other[:, None]
        distance = (apart.abs() if kernel == "laplacian" else apart.square()).sum(dim=-1)
        return (-distance / (2.0 * width)).exp().mean(dim=(1, 2))

    return mean_kernel(first, first) + mean_kernel(second, second) - 2.0 * mean_kernel(first, second)


def main(args: Args) -> list[OfflineEvaluation]:
    """Train all runs to the end, from the newest checkpoint if there is one, and return all evaluations."""
    return train("bear", args, BEAR)


if __name__ == "__main__":
    run_script(main, Args)
