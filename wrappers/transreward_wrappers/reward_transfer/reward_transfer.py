"""Reward transfer: the target's reward moved towards the source's (TransReward).

    r' = r + lam * (r_S* - r)

with ``r_S*(s, a)`` learnt from source data. Where the robots differ, ``(s, a)`` is what it is to the source's, by a
correspondence of their joints.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from transreward_envs.correspondence import CorrespondenceLike, DomainMap, map_of_pair, require_correspondence
from transreward_envs.errors import require_count, require_non_negative, require_positive, require_share, unknown
from transreward_envs.methods import ActsIn
from transreward_envs.pairs import Pair, Role
from transreward_wrappers.compensation import Compensation, Env, Float, Transitions
from transreward_wrappers.correspondence import in_source
from transreward_wrappers.errors import CorruptFileError
from transreward_wrappers.reward_transfer.reward_model import RewardModel
from transreward_wrappers.reward_transfer.source_run import SourceRun
from transreward_wrappers.storage import load_tensors, save_tensors

Estimator = Literal["reward"]


@dataclass(kw_only=True, eq=False)
class RewardTransfer(Compensation):
    """Add ``lam * (r_S*(s, a) - r)`` while the agent acts in the target.

    ``r_S*`` is the reward that the source would give at the same ``(s, a)``, from an ensemble fitted on first use. Its
    data come from a short source run: random actions, and a linear policy that learns by random search from there.
    Target states far from that data get a guess; ``diagnostics()["spread"]`` tells how the ensemble's disagreement on
    what passes through compares with that on the data.

    In a task that can terminate, a constant difference between the two rewards changes what staying alive is worth.

    Raises:
        ValueError: A setting breaks its rule.
    """

    acts_in: ClassVar[ActsIn] = "target"

    lam: float = 0.5
    """Weight of the source's reward [-]: 0 gives the target's own, 1 the source's."""

    estimator: Estimator = "reward"
    """What ``r_S*`` is."""

    correspondence: CorrespondenceLike = None
    """Which joint of the target's robot is which of the source's: ``joints`` for those of one name, or the JSON of a
    :class:`~transreward_envs.correspondence.Correspondence`. When left out, that is ``joints`` where the robots differ,
    and nothing is mapped where they are one."""

    fit_budget: int = 100_000
    """Source steps of the run that the fit learns from."""

    fit_updates: int = 3_000
    """Gradient steps of the fit."""

    random_share: float = 0.25
    """Share of the run's steps with uniformly random actions [-]."""

    horizon: int = 300
    """Steps after which the run's search cuts a rollout off."""

    members: int = 5
    """Networks in the ensemble; two at least, so that they can disagree."""

    hidden: int = 64
    """Units in each of the two hidden layers."""

    batch_size: int = 256
    """Transitions in a batch, for each member."""

    learning_rate: float = 1e-3
    """Adam's, falling linearly to a twentieth."""

    seed: int = 0
    """Of the source run, weights and batches."""

    _model: RewardModel = field(init=False, repr=False)
    _map: DomainMap | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        require_non_negative("lam", self.lam)
        require_positive("learning_rate", self.learning_rate)
        require_share("random_share", self.random_share)
        for name in ("fit_budget", "horizon", "hidden", "batch_size"):
            require_count(name, getattr(self, name), at_least=1)
        require_count("members", self.members, at_least=2)
        for name in ("fit_updates", "seed"):
            require_count(name, getattr(self, name))
        if self.estimator not in get_args(Estimator):
            raise ValueError(unknown("estimator", self.estimator, get_args(Estimator)))
        require_correspondence(self.correspondence)

    def check(self, pair: Pair) -> None:
        """Find what the target's observations and actions are to the source."""
        self._map = map_of_pair(pair, self.correspondence)

    def bind(self, observation_size: int, action_size: int) -> None:
        """Build the reward model, in the source's spaces."""
        self._sizes = list(self._map.source_sizes) if self._map else [observation_size, action_size]
        self._model = RewardModel(*self._sizes, members=self.members, hidden=self.hidden, seed=self.seed)
        self._fit_spread, self._seen, self._spread_sum = 1.0, 0, 0.0
        self._last: tuple[Transitions | None, Float] = None, np.zeros(0)

    def fit_steps(self) -> dict[Role, int]:
        """Return the steps of the source run."""
        return {"source": self.fit_budget}

    def fit_key(self, pair: Pair) -> dict[str, Any]:
        """Return the source domain and the settings of the fit; neither the target nor what is made of it matter."""
        no_matter = ("lam", "estimator", "correspondence")
        settings = {name: value for name, value in self.settings().items() if name not in no_matter}
        source = {"robot": pair.robot_of("source").name, **pair.kwargs("source")}
        return {"source": source, "settings": settings}

    def fit(self, source: Env, target: Env) -> None:
        """Run in the source and fit the ensemble; no target step is taken."""
        run = SourceRun(
            source,
            budget=self.fit_budget,
            random_share=self.random_share,
            horizon=self.horizon,
            seed=self.seed,
        )
        data = run.collect()
        self._model.fit(data, updates=self.fit_updates, batch_size=self.batch_size, learning_rate=self.learning_rate)
        _, spread = self._model(data.select(slice(None, None, max(len(data) // 4096, 1))))
        self._fit_spread = float(spread.mean()) + 1e-12

    def __call__(self, batch: Transitions) -> Float:
        """Return ``lam * (r_S*(s, a) - r)``, as ``(B,)``."""
        source_reward, spread = self._model(in_source(batch, self._map))
        self._last = batch, spread
        return self.lam * (source_reward - batch.reward)

    def update(self, batch: Transitions) -> None:
        """Count how far the ensemble disagrees on what passes through."""
        paid, spread = self._last
        spread = spread if paid is batch else self._model(in_source(batch, self._map))[1]
        self._seen += len(batch)
        self._spread_sum += float(spread.sum())

    def source_reward(self, batch: Transitions) -> Float:
        """Return ``r_S*(s, a)`` itself, as ``(B,)``."""
        return self._model(in_source(batch, self._map))[0]

    def save(self, path: Path) -> None:
        """Write the fitted ensemble."""
        save_tensors(path, self._model.tensors(), {"sizes": self._sizes, "fit_spread": self._fit_spread})

    def load(self, path: Path) -> None:
        """Read what :meth:`save` wrote."""
        tensors, about = load_tensors(path)
        if about.get("sizes") != self._sizes:
            raise CorruptFileError(f"{path} is of sizes {about.get('sizes')}, not {self._sizes}. Delete it.")
        self._model.load_tensors(tensors)
        self._fit_spread = about["fit_spread"]

    def diagnostics(self) -> dict[str, float]:
        """Return the mean spread on what passed through, in units of the mean spread on the fit's data."""
        return {"spread": self._spread_sum / max(self._seen, 1) / self._fit_spread} if self._seen else {}
