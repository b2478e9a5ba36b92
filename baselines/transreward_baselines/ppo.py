"""PPO on many lanes: Schulman et al. 2017 (arXiv:1707.06347).

    python -m transreward_baselines.ppo --env-id TransReward/Hopper-v0 --total-steps 1000000 --seed 1

Deviations from the paper, most of them usual since Huang et al. 2022 ("The 37 implementation details of PPO"):
observations and rewards are normalised by running statistics that stand still during a rollout; advantages are those
of Schulman et al. 2015 (arXiv:1506.02438), normalised over the rollout; gradients are clipped by norm; policy and value
have networks of their own; the value's loss is not clipped; the policy's deviation does not depend on the state; the
learning rate follows the divergence between two policies in a row, as in Rudin et al. 2022 (arXiv:2109.11978). An
episode that ends by its time limit is bootstrapped with the value of its last observation. A resumed run starts new
episodes and a new stream of random numbers. The published curve (docs/agents.md):
``python -m studies.learning --seeds 1 2 3 4 5 --out runs/learning``.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from transreward_baselines.devices import torch_device
from transreward_baselines.lanes import Lanes, LaneSteps
from transreward_baselines.parts.adaptation import SAMPLE, adapted, divergence
from transreward_baselines.parts.normalization import RewardScaler, RunningStatistics
from transreward_baselines.parts.rollout import Rollout, estimate_advantages
from transreward_baselines.results import Evaluation
from transreward_baselines.run import Run, newest_agent
from transreward_baselines.run_args import RunArgs, make_env
from transreward_baselines.script import run_script
from transreward_baselines.training_ids import pair_of
from transreward_baselines.tuned import Tuned, parse
from transreward_envs.errors import (
    BudgetSpentError,
    require_count,
    require_finite,
    require_positive,
    require_share,
    unknown,
)
from transreward_wrappers.networks import layers_of, orthogonal_mlp, put_layers
from transreward_wrappers.policies import MOST_LOG_STD, GaussianPolicy, for_sizes
from transreward_wrappers.storage import Tensors, load_optimizer_tensors, optimizer_tensors, with_prefix, without_prefix

Array = NDArray[np.float32]
ACTIVATIONS = {"tanh": nn.Tanh, "relu": nn.ReLU}
TUNED: Tuned = {
    "HalfCheetah": {
        "num_envs": 16,
        "epochs": 10,
        "hidden": 128,
        "activation": "relu",
        "target_kl": None,
        "learning_rate": 3e-4,
        "gamma": 0.98,
        "gae_lambda": 0.92,
        "clip": 0.1,
        "log_std": -2.0,
    }
}
"""Settings of robots, where they differ from the defaults of :class:`Args`."""


@dataclass(frozen=True, kw_only=True)
class Args(RunArgs):
    """Settings of PPO."""

    num_envs: int = 32
    """Lanes that step together."""

    num_steps: int = 64
    """Steps of each lane in a rollout."""

    epochs: int = 5
    """Passes over a rollout."""

    minibatch_size: int = 256
    """Transitions of a gradient step."""

    hidden: int = 64
    """Width of the two hidden layers of each network."""

    activation: Literal["tanh", "relu"] = "tanh"
    """Of the hidden layers."""

    learning_rate: float = 6e-4
    """Of Adam; at the start, where it follows `target_kl`."""

    target_kl: float | None = 0.02
    """Divergence of a policy from its rollout's that the learning rate is adapted to [nats]; constant if `None`."""

    gae_lambda: float = 0.95
    """Of the advantage estimate: 0 is one step, 1 the whole rollout."""

    clip: float = 0.2
    """How far the probability ratio may go from 1."""

    value_coefficient: float = 0.5
    """Of the value's loss."""

    entropy_coefficient: float = 0.0
    """Of the policy's entropy."""

    max_gradient_norm: float = 0.8
    """Gradients beyond are scaled down to it."""

    log_std: float = -0.5
    """Of the policy at the start; one to start from keeps its own where that is larger."""

    start_from: Path | None = None
    """File of a policy to start from, as `keep_policies` leaves, or directory of a run whose agent is taken over as it
    is, value and statistics too; with the same `hidden` and `activation`."""

    value_steps: int = 0
    """Environment steps at the start in which the value alone learns."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("num_steps", "epochs", "minibatch_size", "hidden"):
            require_count(name, getattr(self, name), at_least=1)
        require_count("value_steps", self.value_steps)
        if self.activation not in ACTIVATIONS:
            raise ValueError(unknown("activation", self.activation, ACTIVATIONS))
        for name in ("learning_rate", "clip", "max_gradient_norm"):
            require_positive(name, getattr(self, name))
        require_positive("target_kl", 1.0 if self.target_kl is None else self.target_kl)
        for name in ("gamma", "gae_lambda", "value_coefficient", "entropy_coefficient"):
            require_share(name, getattr(self, name))
        require_finite("log_std", self.log_std)


class PPO:
    """Policy, value, optimiser and statistics."""

    def __init__(self, args: Args, observation_size: int, action_size: int, num_envs: int) -> None:
        self.device, self.activation = torch_device(args.device), args.activation
        self.learning_rate = args.learning_rate
        sizes, activation = (observation_size, args.hidden, args.hidden), ACTIVATIONS[args.activation]
        self.policy = orthogonal_mlp((*sizes, action_size), activation, gain=0.01).to(self.device)
        self.value = orthogonal_mlp((*sizes, 1), activation, gain=1.0).to(self.device)
        self.log_std = nn.Parameter(torch.full((action_size,), args.log_std, device=self.device))
        self.parameters = [*self.policy.parameters(), *self.value.parameters(), self.log_std]
        self.optimizer = torch.optim.Adam(self.parameters, lr=args.learning_rate, eps=1e-5, fused=True)
        self.observations = RunningStatistics(observation_size)
        self.rewards = RewardScaler(num_envs, args.gamma)

    def act(self, observations: Any) -> Any:
        """Return the mean actions in ``[-1, 1]``, as ``(B, action_size)``."""
        return self.means(self.observations.normalise(observations)).clip(-1.0, 1.0)

    def means(self, normalised: Array) -> Array:
        """Return the mean actions for normalised observations, as ``(B, action_size)``."""
        with torch.inference_mode():
            means: Array = self.policy(torch.from_numpy(normalised).to(self.device)).cpu().numpy()
        return means

    def values(self, normalised: Array) -> Array:
        """Return the values of normalised observations as ``(..., observation_size)``, as ``(...)``."""
        with torch.inference_mode():
            values: Array = self.value(torch.from_numpy(normalised).to(self.device)).squeeze(-1).cpu().numpy()
        return values

    def log_densities(self, observations: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Return the log-densities of actions as ``(B, action_size)``, but for a constant, as ``(B,)``."""
        noise = (actions - self.policy(observations)) * (-self.log_std).exp()
        total: torch.Tensor = (0.5 * noise.square() + self.log_std).sum(-1)
        return -total

    def export(self, about: Mapping[str, Any]) -> GaussianPolicy:
        """Return the policy as it is now, as data."""
        weights, biases = layers_of(self.policy)
        return GaussianPolicy(
            weights=weights,
            biases=biases,
            activation=self.activation,
            squash="clip",
            log_std=self.log_std.detach().cpu().clamp(max=MOST_LOG_STD).numpy(),
            observation_mean=self.observations.mean,
            observation_variance=self.observations.variance,
            about=about,
        )

    def start_from(self, path: Path, env_id: str) -> None:
        """Take over the agent of a run's newest checkpoint, or a policy in a file.

        Raises:
            RuntimeError: The run has no checkpoint, or its networks are of another shape.
            ValueError: The policy is.
        """
        if path.is_dir():
            self.load(newest_agent(path))
            return
        policy = for_sizes(GaussianPolicy.load(path), pair_of(env_id), len(self.observations.mean), len(self.log_std))
        if (policy.activation, policy.squash) != (self.activation, "clip"):
            raise ValueError(
                f"A policy to start from must have this run's activation, {self.activation!r}, and clip its actions; "
                f"got {policy.activation!r} and {policy.squash!r}."
            )
        put_layers(self.policy, policy.weights, policy.biases)
        self.log_std.data.copy_(torch.maximum(self.log_std.detach(), torch.from_numpy(policy.log_std).to(self.device)))
        self.observations.start(policy.observation_mean, policy.observation_variance)

    def files(self) -> dict[str, Tensors]:
        """Return all that training changes."""
        parts = {
            "policy": self.policy.state_dict(),
            "value": self.value.state_dict(),
            "optimizer": optimizer_tensors(self.optimizer),
            "observations": self.observations.tensors(),
            "rewards": self.rewards.statistics.tensors(),
        }
        tensors: Tensors = {
            "log_std": self.log_std,
            "learning_rate": torch.tensor(self.learning_rate, dtype=torch.float64),
        }
        for name, part in parts.items():
            tensors.update(with_prefix(name, part))
        return {"agent": tensors}

    def load(self, files: Mapping[str, Tensors]) -> None:
        """Put back what :meth:`files` returned."""
        tensors = files["agent"]
        self.policy.load_state_dict(without_prefix("policy", tensors))
        self.value.load_state_dict(without_prefix("value", tensors))
        self.log_std.data.copy_(tensors["log_std"])
        self.learning_rate = float(tensors["learning_rate"])
        load_optimizer_tensors(self.optimizer, without_prefix("optimizer", tensors))
        self.observations.load(without_prefix("observations", tensors))
        self.rewards.statistics.load(without_prefix("rewards", tensors))


def collect(agent: PPO, lanes: Lanes, observations: NDArray[Any], args: Args) -> tuple[Rollout, NDArray[Any]]:
    """Step all lanes ``num_steps`` times; return what came of it, and the observations to go on from.

    A rollout is shorter where a budget of target steps ends.

    Raises:
        BudgetSpentError: No step is left.
    """
    noise = torch.randn(args.num_steps, lanes.num_envs, lanes.action_size)
    deviation = agent.log_std.detach().cpu().exp()
    jolts = (noise * deviation).numpy()
    normalised = np.empty((args.num_steps + 1, lanes.num_envs, lanes.observation_size), np.float32)
    seen, actions = np.empty(normalised[:-1].shape), np.empty_like(jolts)
    steps: list[LaneSteps] = []
    for t in range(args.num_steps):
        seen[t], normalised[t] = observations, agent.observations.normalise(observations)
        actions[t] = agent.means(normalised[t]) + jolts[t]
        try:
            steps.append(lanes.step(actions[t]))
        except BudgetSpentError:
            if not steps:
                raise
            break
        observations = steps[t].observations
    taken = len(steps)
    noise, seen, actions, normalised = noise[:taken], seen[:taken], actions[:taken], normalised[: taken + 1]
    normalised[-1] = agent.observations.normalise(observations)
    done, valid = (np.stack([getattr(step, name) for step in steps]) for name in ("done", "valid"))
    values, next_values = estimate_values(agent, normalised, steps)
    agent.observations.update(seen[valid])
    rollout = Rollout(
        observations=normalised,
        actions=actions,
        log_densities=-(0.5 * noise.square() + deviation.log()).sum(-1).numpy(),
        rewards=agent.rewards.scale(np.stack([step.rewards for step in steps]), done, valid),
        values=values,
        next_values=next_values,
        done=done,
        valid=valid,
    )
    return rollout, observations


def estimate_values(agent: PPO, normalised: Array, steps: list[LaneSteps]) -> tuple[Array, Array]:
    """Return the values of the observations acted on, and of those that the actions led to, as ``(T, B)`` each."""
    values = agent.values(normalised)
    next_values = values[1:].copy()
    ends = [(t, lane) for t, step in enumerate(steps) for lane in np.flatnonzero(step.done)]
    if ends:
        last = np.stack([steps[t].last_observations[lane] for t, lane in ends])
        for (t, lane), bootstrap in zip(ends, agent.values(agent.observations.normalise(last)), strict=True):
            next_values[t, lane] = 0.0 if steps[t].terminated[lane] else bootstrap
    return values[:-1], next_values


def update(agent: PPO, rollout: Rollout, args: Args, *, value_alone: bool = False) -> dict[str, float]:
    """Learn from a rollout, and return what to log."""
    advantages = estimate_advantages(
        rollout.rewards,
        rollout.values,
        rollout.next_values,
        rollout.done,
        rollout.valid,
        gamma=args.gamma,
        gae_lambda=args.gae_lambda,
    )
    targets = advantages + rollout.values
    centred = advantages - advantages[rollout.valid].mean()
    scaled = centred / (advantages[rollout.valid].std() + 1e-8)
    arrays = (rollout.observations[:-1], rollout.actions, rollout.log_densities, scaled, targets)
    data = [torch.from_numpy(array[rollout.valid]).to(agent.device) for array in arrays]
    for _ in range(args.epochs):
        order = torch.randperm(len(data[0])).to(agent.device)
        shuffled = [tensor[order] for tensor in data]
        for start in range(0, len(order), args.minibatch_size):
            part = slice(start, start + args.minibatch_size)
            gradient_step(agent, tuple(tensor[part] for tensor in shuffled), args, value_alone=value_alone)
        if args.target_kl is not None and not value_alone:
            with torch.no_grad():
                change = agent.log_densities(data[0][:SAMPLE], data[1][:SAMPLE]) - data[2][:SAMPLE]
            agent.learning_rate = adapted(agent.learning_rate, divergence(change), args.target_kl)
    with torch.no_grad():
        policy_loss, value_loss, change = losses(agent, tuple(data), args)
    return {
        "losses/policy": float(policy_loss),
        "losses/value": float(value_loss),
        "losses/divergence": divergence(change),
        "losses/clipped": float((change.exp() - 1.0).abs().gt(args.clip).float().mean()),
        "charts/log_std": float(agent.log_std.detach().mean()),
        "charts/learning_rate": agent.learning_rate,
    }


def gradient_step(agent: PPO, batch: tuple[torch.Tensor, ...], args: Args, *, value_alone: bool = False) -> None:
    """Step down the gradient of a minibatch: that of ``policy_loss + c_1 value_loss - c_2 entropy``."""
    set_gradients(agent, batch, args)
    if value_alone:
        for parameter in (*agent.policy.parameters(), agent.log_std):
            parameter.grad = None  # not zero: the optimiser's averages have not begun
    nn.utils.clip_grad_norm_(agent.parameters, args.max_gradient_norm)
    agent.optimizer.param_groups[0]["lr"] = agent.learning_rate
    agent.optimizer.step()


def set_gradients(agent: PPO, batch: tuple[torch.Tensor, ...], args: Args) -> None:
    """Put the loss's gradients where the optimiser finds them.

    Those by means, deviations and values are written out, and the networks alone are left to automatic differentiation:
    a minibatch is so small that what counts is the number of operations.
    """
    observations, actions, log_densities, advantages, targets = batch
    means, values = agent.policy(observations), agent.value(observations).squeeze(-1)
    with torch.no_grad():
        inverse = (-agent.log_std).exp()
        noise = (actions - means) * inverse
        ratio = (-(0.5 * noise.square() + agent.log_std).sum(-1) - log_densities).exp()
        clipped = torch.where(advantages > 0.0, ratio > 1.0 + args.clip, ratio < 1.0 - args.clip)
        by_log_density = torch.where(clipped, 0.0, ratio * advantages).unsqueeze(-1) / -len(advantages)
        by_means = by_log_density * noise * inverse
        by_log_std = (by_log_density * (noise.square() - 1.0)).sum(0) - args.entropy_coefficient
        by_values = (values - targets) * (2.0 * args.value_coefficient / len(values))
    agent.optimizer.zero_grad()
    agent.log_std.grad = by_log_std
    torch.autograd.backward([means, values], [by_means, by_values])


def losses(agent: PPO, batch: tuple[torch.Tensor, ...], args: Args) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the losses of policy and value, and the changes of the log-densities since the rollout, as ``(n,)``."""
    observations, actions, log_densities, advantages, targets = batch
    change = agent.log_densities(observations, actions) - log_densities
    ratio = change.exp()
    clipped = ratio.clamp(1.0 - args.clip, 1.0 + args.clip)
    policy_loss = -torch.minimum(ratio * advantages, clipped * advantages).mean()
    value_loss = (agent.value(observations).squeeze(-1) - targets).square().mean()
    return policy_loss, value_loss, change


def main(args: Args) -> list[Evaluation]:
    """Train to the end, from the newest checkpoint if there is one, and return all evaluations.

    Raises:
        RunDirectoryError: The directory belongs to another run, or its checkpoint cannot be read.
    """
    torch.set_num_threads(args.torch_threads)
    torch.manual_seed(args.seed)
    with closing(make_env(args)) as lanes:
        agent = PPO(args, lanes.observation_size, lanes.action_size, lanes.num_envs)
        if args.start_from is not None:
            agent.start_from(args.start_from, args.env_id)
        with Run("ppo", args, agent, lanes) as run:
            torch.manual_seed(args.seed + run.steps)
            observations = lanes.reset(seed=run.episode_seed)
            while run.unfinished:
                rollout, observations = collect(agent, lanes, observations, args)
                value_alone = run.steps < args.value_steps
                scalars = update(agent, rollout, args, value_alone=value_alone) if rollout.valid.any() else {}
                run.advance(int(rollout.valid.sum()), scalars)
    return run.results


if __name__ == "__main__":
    run_script(main, Args, read=partial(parse, settings=TUNED))
