"""SAC from many lanes: Haarnoja et al. 2018 (arXiv:1812.05905), the update in one file.

    python -m transreward_baselines.sac --env-id TransReward/HalfCheetah-v0 --total-steps 1000000 --seed 1

Deviations from the paper: many lanes step together, and gradient steps follow as many transitions as came of it, by a
ratio below the paper's 1 so that a run is short in wall-clock time; the temperature is learned through its logarithm;
the policy's log-deviation is squashed into ``[-5, 2]``, as in CleanRL. An end by the time limit is no termination:
values are bootstrapped beyond it, from the last observation of that very episode. Under a training id, rewards are
relabelled when they are drawn: the compensation in them is that of the moment, not that of collection. A resumed run
has its replay buffer, and starts new episodes and a new stream of random numbers.

Its learning curve: ``python -m studies.learning --contenders sac --seeds 1 2 3 4 5 --out runs/learning``.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from transreward_baselines.devices import torch_device
from transreward_baselines.lanes import Lanes, PaidFor
from transreward_baselines.parts.replay import Batch, LearnFrom, ReplayBuffer, require_learn_from
from transreward_baselines.parts.squashed import squashed_log_density, within
from transreward_baselines.results import Evaluation
from transreward_baselines.run import Run
from transreward_baselines.run_args import RunArgs, make_env
from transreward_baselines.script import run_script
from transreward_baselines.training_ids import is_compensated
from transreward_baselines.tuned import Tuned, parse
from transreward_envs.errors import BudgetSpentError, require_count, require_positive, require_share
from transreward_wrappers.networks import layers_of, seeded
from transreward_wrappers.policies import GaussianPolicy
from transreward_wrappers.storage import (
    Tensors,
    load_optimizer_tensors,
    optimizer_tensors,
    with_prefix,
    without_prefix,
)

LOG_STD_LIMITS = (-5.0, 2.0)
BLOCK = 16
"""Steps of each lane between two entries in the logs."""

TUNED: Tuned = {}
"""Settings of robots, where they differ from the defaults of :class:`Args`."""


@dataclass(frozen=True, kw_only=True)
class Args(RunArgs):
    """Settings of SAC."""

    updates_per_step: float = 0.25
    """Gradient steps of every network a transition, whatever the number of lanes."""

    buffer_size: int = 1_000_000
    """Transitions in the replay buffer."""

    learning_starts: int = 5_000
    """Transitions by random actions before the first gradient step."""

    batch_size: int = 256
    """Transitions of a gradient step."""

    hidden: int = 256
    """Width of the two hidden layers of each network."""

    policy_learning_rate: float = 3e-4
    """Of Adam, of policy and temperature."""

    critic_learning_rate: float = 1e-3
    """Of Adam."""

    tau: float = 0.005
    """Share by which the target critics move to the critics after each gradient step."""

    relabel: bool = True
    """Pay for a transition, when it is drawn, what the compensation says by then; otherwise what was paid is learned
    from, which grows stale as the compensation learns. Without effect on ids that have none, or one that pays for whole
    episodes."""

    learn_from: LearnFrom = "both"
    """Transitions that the agent learns from: those of both domains, or of the source alone, so that target transitions
    serve the compensation only."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "relabel", self.relabel and is_compensated(self.env_id))
        require_learn_from(self.learn_from, relabels=self.relabel)
        for name in ("buffer_size", "batch_size", "hidden"):
            require_count(name, getattr(self, name), at_least=1)
        require_count("learning_starts", self.learning_starts)
        for name in ("updates_per_step", "policy_learning_rate", "critic_learning_rate"):
            require_positive(name, getattr(self, name))
        for name in ("gamma", "tau"):
            require_share(name, getattr(self, name))


class SAC:
    """Policy, twin critics with their targets, temperature, optimisers and replay buffer."""

    def __init__(self, args: Args, observation_size: int, action_size: int, pays: PaidFor | None = None) -> None:
        self.device = torch_device(args.device)
        self.action_size = action_size
        self.policy = make_network(observation_size, args.hidden, 2 * action_size).to(self.device)
        critics = [make_network(observation_size + action_size, args.hidden, 1) for _ in range(2)]
        self.critics = nn.ModuleList(critics).to(self.device)
        self.targets = copy.deepcopy(self.critics).requires_grad_(False)
        self.log_temperature = nn.Parameter(torch.zeros(1, device=self.device))
        rate = args.policy_learning_rate
        self.optimizers = {
            "policy": torch.optim.Adam(self.policy.parameters(), lr=rate, fused=True),
            "critics": torch.optim.Adam(self.critics.parameters(), lr=args.critic_learning_rate, fused=True),
            "temperature": torch.optim.Adam([self.log_temperature], lr=rate, fused=True),
        }
        capacity = min(args.buffer_size, args.total_steps + BLOCK * args.num_envs)
        self.replay = ReplayBuffer(
            capacity,
            observation_size,
            action_size,
            seed=args.seed,
            pays=pays,
            learn_from=args.learn_from,
        )
        self.owed = 0.0
        """Gradient steps that are due."""

    def act(self, observations: Any) -> Any:
        """Return the deterministic actions in ``[-1, 1]``, as ``(B, action_size)``."""
        with torch.inference_mode():
            means, _ = self._law(self._tensor(observations))
            return means.tanh().cpu().numpy()

    def explore(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Return drawn actions in ``[-1, 1]``, as ``(B, action_size)``."""
        with torch.inference_mode():
            actions: NDArray[Any] = self.draw(self._tensor(observations))[0].cpu().numpy()
            return actions

    def draw(self, observations: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return drawn actions as ``(n, action_size)``, and their log-densities as ``(n,)``."""
        means, log_std = self._law(observations)
        noise = torch.randn_like(means)
        before = means + log_std.exp() * noise
        return before.tanh(), squashed_log_density(noise, log_std, before)

    def values(self, critics: nn.ModuleList, observations: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """Return both critics' values, as ``(2, n)``."""
        inputs = torch.cat([observations, actions], dim=-1)
        return torch.stack([critic(inputs).squeeze(-1) for critic in critics])

    def export(self, about: Mapping[str, Any]) -> GaussianPolicy:
        """Return the policy as it is now, as data; its deviation is the mean one over the newest transitions."""
        with torch.inference_mode(), seeded(0):
            batch = self.replay.newest(1024, self.device).observations
            deviation = (self.draw(batch)[0] - self._law(batch)[0].tanh()).square().mean(dim=0).sqrt()
        weights, biases = layers_of(self.policy)
        return GaussianPolicy(
            weights=(*weights[:-1], weights[-1][: self.action_size]),
            biases=(*biases[:-1], biases[-1][: self.action_size]),
            activation="relu",
            squash="tanh",
            log_std=deviation.clamp(min=1e-2).log().cpu().numpy(),
            observation_mean=np.zeros(weights[0].shape[1]),
            observation_variance=np.ones(weights[0].shape[1]),
            limit=None,
            about=about,
        )

    def files(self) -> dict[str, Tensors]:
        """Return all that training changes."""
        tensors: Tensors = {"log_temperature": self.log_temperature, "owed": torch.tensor(self.owed)}
        for name, network in self._networks().items():
            tensors.update(with_prefix(name, network.state_dict()))
        for name, optimizer in self.optimizers.items():
            tensors.update(with_prefix(f"optimizer-{name}", optimizer_tensors(optimizer)))
        return {"agent": tensors, "replay": self.replay.tensors()}

    def load(self, files: Mapping[str, Tensors]) -> None:
        """Put back what :meth:`files` returned."""
        tensors = files["agent"]
        self.log_temperature.data.copy_(tensors["log_temperature"])
        self.owed = float(tensors["owed"])
        for name, network in self._networks().items():
            network.load_state_dict(without_prefix(name, tensors))
        for name, optimizer in self.optimizers.items():
            load_optimizer_tensors(optimizer, without_prefix(f"optimizer-{name}", tensors))
        self.replay.load(files["replay"])

    def _networks(self) -> dict[str, nn.Module]:
        return {"policy": self.policy, "critics": self.critics, "targets": self.targets}

    def _law(self, observations: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return means and log-deviations before squashing, as ``(n, action_size)`` each."""
        means, raw = self.policy(observations).chunk(2, dim=-1)
        return means, within(raw, LOG_STD_LIMITS)

    def _tensor(self, observations: Any) -> torch.Tensor:
        return torch.as_tensor(np.asarray(observations, dtype=np.float32), device=self.device)


def make_network(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Return a network with two hidden layers."""
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, outputs)
    )


def update(agent: SAC, batch: Batch, args: Args) -> dict[str, torch.Tensor]:
    """Step down the gradients of critics, policy and temperature, and return what to log."""
    temperature = agent.log_temperature.detach().exp()
    targets = bootstrapped_returns(agent, batch, temperature, args.gamma)
    values = agent.values(agent.critics, batch.observations, batch.actions)
    critic_loss = (values - targets).square().mean(dim=1).sum()
    _descend(agent.optimizers["critics"], critic_loss)
    actions, log_densities = agent.draw(batch.observations)
    agent.critics.requires_grad_(False)
    gain = agent.values(agent.critics, batch.observations, actions).amin(dim=0)
    policy_loss = (temperature * log_densities - gain).mean()
    _descend(agent.optimizers["policy"], policy_loss)
    agent.critics.requires_grad_(True)
    excess = log_densities.detach().mean() - agent.action_size  # the entropy's target is one nat below 0 a joint
    _descend(agent.optimizers["temperature"], -agent.log_temperature.exp().squeeze() * excess)
    with torch.no_grad():
        torch._foreach_lerp_(list(agent.targets.parameters()), list(agent.critics.parameters()), args.tau)
    return {
        "losses/critics": critic_loss.detach(),
        "losses/policy": policy_loss.detach(),
        "charts/temperature": temperature,
        "charts/value": values.detach().mean(),
    }


def bootstrapped_returns(agent: SAC, batch: Batch, temperature: torch.Tensor, gamma: float) -> torch.Tensor:
    """Return ``r + gamma (min Q(s', a') - alpha log pi(a' | s'))``, or ``r`` at a termination, as ``(n,)``."""
    with torch.no_grad():
        actions, log_densities = agent.draw(batch.next_observations)
        following = agent.values(agent.targets, batch.next_observations, actions).amin(dim=0)
        beyond = torch.where(batch.terminated, 0.0, following - temperature * log_densities)
        return batch.rewards + gamma * beyond


def _descend(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def learn(
    agent: SAC, lanes: Lanes, observations: NDArray[Any], args: Args, generator: np.random.Generator
) -> tuple[int, dict[str, float], NDArray[Any]]:
    """Step all lanes ``BLOCK`` times and learn by the way; return steps, what to log, and the last observations.

    They are fewer where a budget of target steps ends.

    Raises:
        BudgetSpentError: No step is left.
    """
    shape, steps = (lanes.num_envs, lanes.action_size), 0
    report: dict[str, torch.Tensor] = {}
    for _ in range(BLOCK):
        started = agent.replay.size >= min(args.learning_starts, agent.replay.capacity)
        actions = agent.explore(observations) if started else generator.uniform(-1.0, 1.0, shape)
        try:
            result = lanes.step(actions)
        except BudgetSpentError:
            if not steps:
                raise
            break
        added = agent.replay.add(observations, actions, result)
        observations, steps = result.observations, steps + added
        if started:
            agent.owed += added * args.updates_per_step
        while agent.owed >= 1.0:
            report = update(agent, agent.replay.sample(args.batch_size, agent.device), args)
            agent.owed -= 1.0
    return steps, {name: float(value) for name, value in report.items()}, observations


def main(args: Args) -> list[Evaluation]:
    """Train to the end, from the newest checkpoint if there is one, and return all evaluations.

    Raises:
        RunDirectoryError: The directory belongs to another run, or its checkpoint cannot be read.
    """
    torch.set_num_threads(args.torch_threads)
    torch.manual_seed(args.seed)
    with closing(make_env(args)) as lanes:
        pays = lanes.pays if args.relabel else None
        agent = SAC(args, lanes.observation_size, lanes.action_size, pays)
        with Run("sac", args, agent, lanes) as run:
            torch.manual_seed(args.seed + run.steps)
            generator = np.random.default_rng([args.seed, run.steps])
            agent.replay.reseed(generator)
            observations = lanes.reset(seed=run.episode_seed)
            while run.unfinished:
                steps, scalars, observations = learn(agent, lanes, observations, args, generator)
                run.advance(steps, scalars)
    return run.results


if __name__ == "__main__":
    run_script(main, Args, read=partial(parse, settings=TUNED))
