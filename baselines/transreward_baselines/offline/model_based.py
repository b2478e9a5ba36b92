"""What offline algorithms share that learn from world models: settings, the fit, branches, and mixed batches."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, fields
from math import ceil
from pathlib import Path
from typing import Any

import torch
from torch import nn

from transreward_baselines.offline.args import OfflineArgs
from transreward_baselines.offline.data import Batch, OfflineData
from transreward_baselines.offline.dynamics import Dynamics
from transreward_baselines.offline.fitting import Fit, FitSettings
from transreward_baselines.offline.imagination import Bounds, Branches, Imagined, Policy
from transreward_baselines.offline.streams import Streams
from transreward_envs import get_pair
from transreward_envs.errors import require_count, require_positive, require_share
from transreward_envs.robots.bounds import observation_bounds

FILE = "world_models.safetensors"
"""In a run's directory: its models, also before they are fitted to the end."""

HORIZONS = {"Walker2d": 1}
"""Steps of a branch by robot, and 5 of all others: what Yu et al. 2020 have for most datasets of each."""


@dataclass(frozen=True, kw_only=True)
class ModelArgs(OfflineArgs):
    """What every script that learns from world models can be told besides."""

    horizon: int | None = None
    """Steps of a branch in the model; by the robot when left out: 1 for Walker2d, otherwise 5."""

    branches: int = 10_000
    """Branches of each run that are imagined at once."""

    branch_every: int = 1_000
    """Gradient steps from one time to the next."""

    kept: int = 5
    """Of how many times what was imagined is kept."""

    real_share: float = 0.05
    """Share of the data's own transitions in a batch; the others are imagined."""

    members: int = 7
    """Networks of a run's model."""

    elites: int = 5
    """Of these, the ones that predict held-out data best, which imagine."""

    model_hidden: int = 200
    """Width of their hidden layers."""

    model_layers: int = 4
    """Hidden layers of theirs."""

    model_updates: int = 20_000
    """Gradient steps of their fit."""

    model_batch_size: int = 256
    """Transitions of such a step, for each network."""

    model_learning_rate: float = 1e-3
    """Of their Adam, at first."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.horizon is None:
            object.__setattr__(self, "horizon", HORIZONS.get(get_pair(self.pair).robot, 5))
        for name in ("horizon", "branches", "branch_every", "kept", "elites", "model_hidden", "model_layers"):
            require_count(name, getattr(self, name), at_least=1)
        for name in ("model_updates", "model_batch_size"):
            require_count(name, getattr(self, name), at_least=1)
        require_count("members", self.members, at_least=2)
        require_positive("model_learning_rate", self.model_learning_rate)
        require_share("real_share", self.real_share)
        if self.elites > self.members:
            raise ValueError(f"There can be no more `elites` than `members`; got {self.elites} of {self.members}.")

    @property
    def actions_each(self) -> int:
        """Transitions of the models' batch for each of the policy's: theirs are the largest networks."""
        return ceil(self.model_batch_size / self.batch_size)

    def model_identity(self) -> dict[str, Any]:
        """Return what fitted models depend on, as JSON types."""
        names = [field.name for field in fields(self) if field.name.startswith("model_")]
        own = {name: getattr(self, name) for name in ("members", "elites", *names)}
        return {**own, "runs": [[run.data, run.seed] for run in self.runs]}


class WorldModels(nn.Module):
    """The world models of all runs, and what was last imagined in them.

    Args:
        args: Of the script.
        data: Of the runs.
        streams: Random numbers of the runs.
        penalty: Of uncertainty, in imagined rewards.

    Raises:
        ValueError: The data are of another robot than the pair's target, or do not tell where its task ends.
        MemoryError: What is imagined takes more memory than there is.
    """

    def __init__(self, args: ModelArgs, data: OfflineData, streams: Streams, *, penalty: float) -> None:
        super().__init__()
        self.args, self.data, self.streams = args, data, streams
        observation, action = data.observation_size, data.action_size
        assert args.horizon is not None
        hidden = [args.model_hidden] * args.model_layers
        seeds = [run.seed for run in args.runs]
        self.dynamics = Dynamics(seeds, [observation, *hidden, action], members=args.members, elites=args.elites)
        self.imagined = Imagined(
            len(seeds),
            observation=observation,
            action=action,
            capacity=args.kept * args.horizon * args.branches,
            device=data.mean.device,
        )
        self._branches = Branches(
            self.dynamics, _bounds(args.pair), count=args.branches, horizon=args.horizon, penalty=penalty
        )

    def fit(self, directory: Path | None) -> None:
        """Fit the models to each run's data, from what the directory keeps, if anything; they do not change after."""
        args = self.args
        settings = FitSettings(
            updates=args.model_updates, batch_size=args.model_batch_size, learning_rate=args.model_learning_rate
        )
        fit = Fit(self.dynamics, self.data, self.streams, settings)
        fit.go(directory and directory / FILE, args.model_identity(), quiet=args.quiet)
        self.dynamics.requires_grad_(False)
        if not args.quiet:
            _report(args, fit)

    def mixed(self, batch: Batch, step: int, policy: Policy) -> Batch:
        """Return a batch as large, of which the data's own share stays; branch anew where it is time to.

        Args:
            batch: Of the data.
            step: Gradient steps so far.
            policy: What acts in the models.
        """
        size = batch.rewards.shape[1]
        real = round(self.args.real_share * size)
        if real == size:
            return batch
        if step % self.args.branch_every == 0:
            self._branches.grow(policy, self.data, self.streams, self.imagined)
        drawn = self.imagined.sample(self.streams, size - real)
        spread = torch.linspace(0, size - 1, real, device=batch.rewards.device).round().long()
        return batch.part(spread).joined(drawn)


def _bounds(name: str) -> Bounds:
    """Return between which bounds observations lie while the task of a pair's target goes on."""
    pair = get_pair(name)
    with closing(pair.make("target")) as env:
        return observation_bounds(pair.robot_of("target").name, env.unwrapped)


def _report(args: ModelArgs, fit: Fit) -> None:
    """Say how well each run's model predicts steps that it was not fitted to, but chosen by."""
    print("error on the steps that weights were chosen by, as a share of predicting no change and the mean reward:")
    best = fit.errors.take_along_dim(fit.dynamics.elites[..., None], dim=1).mean(dim=1).tolist()
    for run, (change, reward) in zip(args.runs, best, strict=True):
        print(f"  observations {change:.3f}, reward {reward:.3f} ({run.data}, seed {run.seed})")
