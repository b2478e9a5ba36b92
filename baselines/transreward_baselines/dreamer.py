"""Dreamer, small: Hafner et al. 2020 (arXiv:1912.01603) and 2023 (arXiv:2301.04104), the update in one file.

    python -m transreward_baselines.dreamer --env-id TransReward/Hopper-v0 --total-steps 100000 --seed 1

The world model learns from windows of episodes; actor and critic learn in what it imagines from their states, by
lambda-returns whose gradients go back through the imagined steps to the actions.

Deviations from the papers: the posterior looks at the observation alone, so that the beliefs of a window are one fused
call; latent states are Gaussian, as in the first; observations are normalised by running statistics; the critic
regresses returns over their running root mean square, and is corrected when that changes (van Hasselt et al. 2016,
arXiv:1602.07714); as in the second, its targets come from a slow copy, and the actor's returns are divided by their
range; the coefficient of the actor's entropy is learned, as in SAC. An end by the time limit is no termination. Rewards
are learned from as they were paid: under a training id that acts in both domains, the world model is of their mixture.
A resumed run has its replay buffer, and starts new episodes and a new stream of random numbers.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from transreward_baselines.devices import torch_device
from transreward_baselines.evaluation import Policy
from transreward_baselines.lanes import Lanes, LaneSteps, make_lanes
from transreward_baselines.parts.latent_models import Sizes
from transreward_baselines.parts.normalization import RunningStatistics
from transreward_baselines.parts.player import LatentPolicy, Player
from transreward_baselines.parts.sequences import SequenceBuffer
from transreward_baselines.results import Evaluation
from transreward_baselines.run import Run
from transreward_baselines.run_args import RunArgs
from transreward_baselines.script import run_script
from transreward_baselines.training_ids import find_training_pair
from transreward_baselines.tuned import Tuned, parse, robot_of
from transreward_envs import ROBOTS
from transreward_envs.errors import BudgetSpentError, require_below_one, require_count, require_positive, require_share
from transreward_wrappers.networks import silu_mlp
from transreward_wrappers.storage import (
    Tensors,
    load_optimizer_tensors,
    optimizer_tensors,
    with_prefix,
    without_prefix,
)
from transreward_wrappers.world_models.scales import SMALLEST
from transreward_wrappers.world_models.windows import Windows

BLOCK = 16
"""Steps of each lane between two entries in the logs."""

MOST_GRADIENT = 100.0
"""Longer gradients are cut to this length."""

SLOWNESS = 0.01
"""Share by which the returns' root mean square and range move to those of the newest batch."""

TEMPERATURE_LEARNING_RATE = 3e-3
"""Of Adam."""

TUNED: Tuned = {}
"""Settings of robots, where they differ from the defaults of :class:`Args`."""


@dataclass(frozen=True, kw_only=True)
class Args(RunArgs):
    """Settings of Dreamer."""

    total_steps: int = 100_000
    """Environment steps of all lanes together."""

    pixels: bool = False
    """Observe 64 x 64 pixels; for the ids of domains of dm_control."""

    updates_per_step: float = 0.125
    """Gradient steps of every network a transition, whatever the number of lanes."""

    buffer_size: int = 500_000
    """States in the replay buffer; one of pixels takes 12 KiB."""

    learning_starts: int = 2_000
    """Transitions by random actions before the first gradient step."""

    batch_size: int = 16
    """Windows of a gradient step."""

    length: int = 32
    """Steps of a window."""

    starts: int = 128
    """States of a batch that are imagined from."""

    horizon: int = 15
    """Steps that are imagined."""

    belief: int = 128
    """Length of the deterministic part of a latent state."""

    stochastic: int = 16
    """Length of the stochastic part."""

    hidden: int = 128
    """Units in each hidden layer."""

    model_learning_rate: float = 1e-3
    """Of Adam, of the world model."""

    actor_learning_rate: float = 3e-4
    """Of Adam."""

    critic_learning_rate: float = 1e-3
    """Of Adam."""

    return_lambda: float = 0.95
    """Of the returns: 0 is one step, 1 the whole of what is imagined."""

    temperature: float = 1e-2
    """Coefficient of the actor's entropy at first [1/nat]; it moves so that this comes near one nat below 0 a joint."""

    tau: float = 0.05
    """Share by which the target critic moves to the critic after each gradient step."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("buffer_size", "batch_size", "length", "starts", "horizon", "belief", "stochastic", "hidden"):
            require_count(name, getattr(self, name), at_least=1)
        require_count("learning_starts", self.learning_starts)
        rates = ("model_learning_rate", "actor_learning_rate", "critic_learning_rate")
        for name in ("updates_per_step", "temperature", *rates):
            require_positive(name, getattr(self, name))
        require_below_one("gamma", self.gamma)
        for name in ("return_lambda", "tau"):
            require_share(name, getattr(self, name))
        if self.pixels and not self._has_pixels():
            raise ValueError(
                "`pixels` is for ids of domains of dm_control, such as 'TransReward/CheetahRun-v0', and without "
                f"`eval_both`; got {self.env_id!r}."
            )

    def keywords(self) -> dict[str, Any]:
        """Return the keywords of the id."""
        return {**super().keywords(), **({"pixels": True} if self.pixels else {})}

    def _has_pixels(self) -> bool:
        robot = robot_of(self.env_id)
        shows = robot is not None and ROBOTS[robot].extra == "dmc"
        return shows and find_training_pair(self.env_id) is None and not self.eval_both


def make_env(args: Args) -> Lanes:
    """Make the lanes to train in."""
    how: dict[str, Any] = {"autoreset": args.autoreset, "threads": args.threads, "settings": args.keywords()}
    envs = make_lanes(args.env_id, args.num_envs, **how)
    return Lanes(envs, pictures=args.pixels)


class Dreamer:
    """Player, critic with its slow copy, optimisers, statistics and replay buffer."""

    def __init__(self, args: Args, observation_size: int, action_size: int) -> None:
        self.device = torch_device(args.device)
        self.generator = torch.Generator(self.device).manual_seed(args.seed)
        shared = {name: getattr(args, name) for name in ("belief", "stochastic", "hidden", "pixels")}
        self.player = Player(Sizes(observation=observation_size, action=action_size, **shared)).to(self.device)
        self.model = self.player.model
        self.critic = silu_mlp(self.model.state_size, args.hidden, args.hidden, 1).to(self.device)
        self.log_temperature = nn.Parameter(torch.full((1,), math.log(args.temperature), device=self.device))
        self.target = copy.deepcopy(self.critic).requires_grad_(False)
        learners = {
            "model": (self.model.parameters(), args.model_learning_rate),
            "actor": (self.player.actor.parameters(), args.actor_learning_rate),
            "critic": (self.critic.parameters(), args.critic_learning_rate),
            "temperature": ([self.log_temperature], TEMPERATURE_LEARNING_RATE),
        }
        self.optimizers = {
            name: torch.optim.Adam(parameters, lr=rate, fused=True) for name, (parameters, rate) in learners.items()
        }
        capacity = min(args.buffer_size, 2 * (args.total_steps + BLOCK * args.num_envs))
        kept: dict[str, Any] = {"seed": args.seed, "dtype": np.uint8 if args.pixels else np.float32}
        self.replay = SequenceBuffer(capacity, args.num_envs, observation_size, action_size, **kept)
        self.statistics = {"rewards": RunningStatistics(1)}
        if not args.pixels:
            self.statistics["observations"] = RunningStatistics(observation_size)
        self.figures = {"updates": 0.0, "owed": 0.0, "square": 1.0, "spread": 1.0}
        """Gradient steps so far and due; mean square and range of imagined returns."""

        self._past: tuple[Tensor | None, Tensor | None] = (None, None)
        self._begins = torch.ones(args.num_envs, dtype=torch.bool, device=self.device)

    def act(self, observations: Any) -> Any:
        """Return the deterministic actions in ``[-1, 1]`` at the beginning of episodes."""
        return self.begin()(observations)

    def begin(self) -> Policy:
        """Return what acts deterministically in episodes that begin now."""
        return self.player.begin()

    @torch.no_grad()
    def explore(self, observations: NDArray[Any]) -> NDArray[Any]:
        """Return drawn actions in ``[-1, 1]`` for what lanes observe next, as ``(B, action_size)``."""
        state = self.player.see(*self._past, observations)
        state[self._begins, : self.player.sizes.belief] = 0.0
        action, _ = self.player.draw(state, self.generator)
        self._past = (state, action)
        return np.asarray(action.cpu())

    def add(self, observations: NDArray[Any], actions: NDArray[Any], steps: LaneSteps) -> int:
        """Take in what a step of all lanes gave; return how many steps count."""
        kept = steps.valid & ~steps.failed
        told = {"observations": observations, "rewards": steps.rewards[:, None]}
        for name, statistics in self.statistics.items():
            statistics.update(told[name][kept])
        self._begins = torch.from_numpy(steps.done | ~steps.valid).to(self.device)
        return self.replay.add(observations, actions, steps)

    def measure(self, returns: Tensor) -> None:
        """Take in imagined returns, and keep the critics' values as they are in the changed unit."""
        figures = self.figures
        rate = max(SLOWNESS, 1.0 / (figures["updates"] + 1.0))
        low, high = torch.quantile(returns.flatten(), returns.new_tensor([0.05, 0.95])).tolist()
        figures["spread"] += rate * (high - low - figures["spread"])
        before = figures["square"]
        figures["square"] += rate * (max(float(returns.square().mean()), SMALLEST) - before)
        for critic in (self.critic, self.target):
            for parameter in critic[-1].parameters():
                parameter.data.mul_((before / figures["square"]) ** 0.5)

    def export(self, about: Mapping[str, Any]) -> LatentPolicy:
        """Return the policy as it is now, as data."""
        return LatentPolicy(player=copy.deepcopy(self.player), about=about)

    def files(self) -> dict[str, Tensors]:
        """Return all that training changes."""
        tensors: Tensors = {name: torch.tensor(value, dtype=torch.float64) for name, value in self.figures.items()}
        tensors["log_temperature"] = self.log_temperature
        for name, network in self._networks().items():
            tensors.update(with_prefix(name, network.state_dict()))
        for name, optimizer in self.optimizers.items():
            tensors.update(with_prefix(f"optimizer-{name}", optimizer_tensors(optimizer)))
        for name, statistics in self.statistics.items():
            tensors.update(with_prefix(f"statistics-{name}", statistics.tensors()))
        return {"agent": tensors, "replay": self.replay.tensors()}

    def load(self, files: Mapping[str, Tensors]) -> None:
        """Put back what :meth:`files` returned."""
        tensors = files["agent"]
        self.figures = {name: float(tensors[name]) for name in self.figures}
        self.log_temperature.data.copy_(tensors["log_temperature"])
        for name, network in self._networks().items():
            network.load_state_dict(without_prefix(name, tensors))
        for name, optimizer in self.optimizers.items():
            load_optimizer_tensors(optimizer, without_prefix(f"optimizer-{name}", tensors))
        for name, statistics in self.statistics.items():
            statistics.load(without_prefix(f"statistics-{name}", tensors))
        self.replay.load(files["replay"])

    def _networks(self) -> dict[str, nn.Module]:
        return {"player": self.player, "critic": self.critic, "target": self.target}


def update(agent: Dreamer, windows: Windows, args: Args) -> dict[str, Tensor]:
    """Step down the gradients of world model, actor and critic, and return what to log."""
    model_loss = agent.model.loss(windows, agent.generator)
    _descend(agent, "model", model_loss)
    path, log_densities = imagine(agent, draw_starts(agent, windows, args.starts), args.horizon)
    rewards, goes_on = agent.model.outcomes(path[1:])
    discounts, unit = args.gamma * goes_on, agent.figures["square"] ** 0.5
    values = agent.target(path[1:]).squeeze(-1) * unit
    returns = lambda_returns(rewards, discounts, values, args.return_lambda)
    with torch.no_grad():  # how much of an imagined step there is: nothing of what comes after an end
        weights = torch.cat([torch.ones_like(discounts[:1]), discounts[:-1]]).cumprod(dim=0)
    temperature = agent.log_temperature.exp()
    gain = returns / max(agent.figures["spread"], 1.0) - temperature.detach() * log_densities
    _descend(agent, "actor", -(weights * gain).mean())
    excess = -log_densities.detach().mean() + agent.player.sizes.action  # of entropy, over one nat below 0 a joint
    _descend(agent, "temperature", (temperature * excess).squeeze())
    predicted = agent.critic(path[:-1].detach()).squeeze(-1)
    critic_loss = (weights * (predicted - returns.detach() / unit).square()).mean()
    _descend(agent, "critic", critic_loss)
    with torch.no_grad():
        torch._foreach_lerp_(list(agent.target.parameters()), list(agent.critic.parameters()), args.tau)
    agent.measure(returns.detach())
    agent.figures["updates"] += 1.0
    return {
        "losses/model": model_loss.detach(),
        "losses/critic": critic_loss.detach(),
        "charts/imagined_return": returns.detach().mean(),
        "charts/entropy": -log_densities.detach().mean(),
        "charts/temperature": temperature.detach(),
    }


def draw_starts(agent: Dreamer, windows: Windows, count: int) -> Tensor:
    """Return states of windows that a step was taken from, drawn with replacement, as ``(count, state_size)``."""
    with torch.no_grad():
        states = agent.model.states(windows.observations, windows.actions)[:, :-1][windows.mask.bool()]
    drawn = torch.randint(len(states), (count,), generator=agent.generator, device=agent.device)
    return states[drawn]


def imagine(agent: Dreamer, states: Tensor, horizon: int) -> tuple[Tensor, Tensor]:
    """Return states ``(horizon + 1, n, state_size)`` under the actor, and its actions' log-densities ``(horizon, n)``.

    Gradients go back from states to the actions before them, not through what the actor saw.
    """
    path, log_densities = [states], []
    for _ in range(horizon):
        actions, log_density = agent.player.draw(path[-1].detach(), agent.generator)
        path.append(agent.model.step(path[-1], actions, agent.generator))
        log_densities.append(log_density)
    return torch.stack(path), torch.stack(log_densities)


def lambda_returns(rewards: Tensor, discounts: Tensor, values: Tensor, lambda_: float) -> Tensor:
    """Return ``G_t = r_t + d_t ((1 - lambda) v_t + lambda G_{t+1})``, and ``v`` in place of what follows the last.

    Args:
        rewards: Of each step, as ``(H, n)``.
        discounts: Of what comes after each step, 0 where the task ends, as ``(H, n)``.
        values: Of the states that each step led to, as ``(H, n)``.
        lambda_: 0 for the returns of one step, 1 for those of all.
    """
    returns, following = [], values[-1]
    for reward, discount, value in zip(rewards.flip(0), discounts.flip(0), values.flip(0), strict=True):
        following = reward + discount * torch.lerp(value, following, lambda_)
        returns.append(following)
    return torch.stack(returns[::-1])


def _descend(agent: Dreamer, name: str, loss: Tensor) -> None:
    optimizer = agent.optimizers[name]
    parameters = optimizer.param_groups[0]["params"]
    optimizer.zero_grad()
    loss.backward(inputs=parameters)  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(parameters, MOST_GRADIENT)
    optimizer.step()


def learn(
    agent: Dreamer, lanes: Lanes, observations: NDArray[Any], args: Args, generator: np.random.Generator
) -> tuple[int, dict[str, float], NDArray[Any]]:
    """Step all lanes ``BLOCK`` times and learn by the way; return steps, what to log, and the last observations.

    They are fewer where a budget of target steps ends.

    Raises:
        BudgetSpentError: No step is left.
    """
    shape, steps = (lanes.num_envs, lanes.action_size), 0
    report: dict[str, Tensor] = {}
    for _ in range(BLOCK):
        first = max(args.learning_starts, 2 * lanes.num_envs)  # a lane's first step is known to be one at its second
        started = agent.replay.size >= min(first, agent.replay.capacity)
        actions = agent.explore(observations) if started else generator.uniform(-1.0, 1.0, shape)
        try:
            result = lanes.step(actions)
        except BudgetSpentError:
            if not steps:
                raise
            break
        added = agent.add(observations, actions, result)
        observations, steps = result.observations, steps + added
        if started:
            agent.figures["owed"] += added * args.updates_per_step
        agent.model.take_scales(agent.statistics)
        while agent.figures["owed"] >= 1.0:
            report = update(agent, agent.replay.draw(args.batch_size, args.length, agent.device), args)
            agent.figures["owed"] -= 1.0
    return steps, {name: float(value) for name, value in report.items()}, observations


def main(args: Args) -> list[Evaluation]:
    """Train to the end, from the newest checkpoint if there is one, and return all evaluations.

    Raises:
        RunDirectoryError: The directory belongs to another run, or its checkpoint cannot be read.
    """
    torch.set_num_threads(args.torch_threads)
    torch.manual_seed(args.seed)
    with closing(make_env(args)) as lanes:
        agent = Dreamer(args, lanes.observation_size, lanes.action_size)
        with Run("dreamer", args, agent, lanes) as run:
            agent.generator.manual_seed(args.seed + run.steps)
            generator = np.random.default_rng([args.seed, run.steps])
            agent.replay.reseed(generator)
            observations = lanes.reset(seed=run.episode_seed)
            while run.unfinished:
                steps, scalars, observations = learn(agent, lanes, observations, args, generator)
                run.advance(steps, scalars)
    return run.results


if __name__ == "__main__":
    run_script(main, Args, read=partial(parse, settings=TUNED))
