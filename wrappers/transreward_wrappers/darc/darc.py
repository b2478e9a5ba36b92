"""DARC: off-dynamics rewards from domain classifiers (Eysenbach et al., 2021, arXiv:2006.13916), and DARA.

    dr = log q(T|s,a,s') - log q(S|s,a,s') - log q(T|s,a) + log q(S|s,a)

which estimates ``log p_T(s'|s,a) - log p_S(s'|s,a)``: the agent pays, in the source, for transitions that the target
would not make. DARA (Liu et al., 2022, arXiv:2203.06662) gives the same ``dr``, with a tenth of the weight, to source
data that is learned from offline.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from transreward_envs.errors import require_name, require_non_negative, require_positive, unknown
from transreward_envs.pairs import Pair
from transreward_envs.pairs.pair import Role
from transreward_wrappers.compensation import RECENT, Env, Float, Transitions
from transreward_wrappers.darc.classified import LARGEST_LOG_RATIO, Classified, features_of
from transreward_wrappers.datasets import load_dataset
from transreward_wrappers.datasets.domain import require_domain

Mode = Literal["add", "weight"]
TargetReward = Literal["keep", "withhold"]


@dataclass(kw_only=True, eq=False)
class DARC(Classified):
    """Add ``eta * clip(dr)`` to the rewards of source transitions, or weigh these rewards by ``exp(eta * clip(dr))``.

    The classifiers learn from the transitions that pass through, while the agent acts in both domains by turns.
    During the warm-up they learn and nothing is added. Weighing makes the reward at ``(s, a)``, on average over ``s'``,
    what it would be in the target; it says nothing about where the target would go from there, which adding does.

    Raises:
        ValueError: A setting breaks its rule.
    """

    eta: float = 1.0
    """Weight of the compensation [reward per nat]: 1 in DARC, 0.1 in DARA."""

    clip: float = 10.0
    """Bound on ``|dr|`` before weighting [nats]; of weights, 2 is usual."""

    mode: Mode = "add"
    """Whether the compensation is added to the reward or a weight on it."""

    target_reward: TargetReward = "keep"
    """Whether target transitions keep their reward, or serve the classifiers alone as in DARC's paper: then they earn
    nothing."""

    target_data: str | None = None
    """Id or folder of a dataset of the target that the classifiers know from the start. With ``target_ratio=0`` the
    agent then never acts in the target: the source is at hand, and of the target only what was recorded."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._pair: Pair | None = None
        require_name("target_data", self.target_data, optional=True)
        require_non_negative("eta", self.eta)
        require_positive("clip", self.clip)
        for name, choice in {"mode": Mode, "target_reward": TargetReward}.items():
            if getattr(self, name) not in get_args(choice):
                raise ValueError(unknown(name, getattr(self, name), get_args(choice)))
        if self.mode == "weight" and self.eta * self.clip > LARGEST_LOG_RATIO:
            raise ValueError(
                f"The largest weight is exp(eta * clip), whose exponent may be {LARGEST_LOG_RATIO:g}; got "
                f"{self.eta:g} * {self.clip:g}. Lower `clip`; 2 is usual."
            )

    def bind(self, observation_size: int, action_size: int) -> None:
        """Build the learner."""
        super().bind(observation_size, action_size)
        self._recent_ratios: deque[Float] = deque(maxlen=RECENT)
        self._paid: tuple[Transitions | None, Float] = None, np.zeros(0)

    def check(self, pair: Pair) -> None:
        """Refuse a pair whose observations hide actions under way, and keep any other."""
        super().check(pair)
        self._pair = pair

    @property
    def fits(self) -> bool:
        """Whether there is a dataset to be known from the start."""
        return self.target_data is not None

    def fit_steps(self) -> dict[Role, int]:
        """Return the target steps in the dataset."""
        return {} if self.target_data is None else {"target": load_dataset(self.target_data).total_steps}

    def fit_key(self, pair: Pair) -> dict[str, Any]:
        """Return what the fit depends on: the settings and the dataset's contents."""
        of_data = {} if self.target_data is None else {"data": load_dataset(self.target_data).digest()}
        return {**super().fit_key(pair), **of_data}

    def fit(self, source: Env, target: Env) -> None:
        """Let the classifiers know the dataset; they learn from it as soon as source transitions pass through.

        Raises:
            ValueError: The dataset is of another domain.
        """
        assert self._pair is not None, "`check` comes before `fit`"
        assert self.target_data is not None
        dataset = load_dataset(self.target_data)
        require_domain(dataset, target, self._pair, "target", setting="target_data")
        rows = features_of(dataset.transitions().as_transitions(1))
        room = self._learner.memory.room
        if len(rows) > room:  # evenly, as datasets are ordered by the policies that made them
            rows = rows[np.linspace(0, len(rows) - 1, room).round().astype(np.int64)]
        self._learner.know(1, rows)

    def share(self, directory: Path) -> None:
        """Learn one pair of classifiers in several processes, from what passes through alone."""
        if self.target_data is not None:
            raise ValueError(
                "Processes that share classifiers learn from what passes through alone; got `target_data="
                f"{self.target_data!r}`. Leave out `target_data`, or `shared_state`."
            )
        super().share(directory)

    def __call__(self, batch: Transitions) -> Float:
        """Return what is added to each reward, as ``(B,)``."""
        delta = np.zeros(len(batch))
        if self.target_reward == "withhold":
            delta[batch.domain == 1] = -batch.reward[batch.domain == 1]
        source, ratio = batch.domain == 0, self._source_ratio(batch)
        self._paid = batch, ratio
        if len(ratio):
            # What is not finite is no large ratio but a broken network: it passes, and the wrapper refuses it.
            bounded = np.where(np.isfinite(ratio), np.clip(ratio, -self.clip, self.clip), np.nan)
            if self.mode == "add":
                delta[source] = self.eta * bounded
            else:
                delta[source] = np.expm1(self.eta * bounded) * batch.reward[source]
        return delta

    def update(self, batch: Transitions) -> None:
        """Keep the transitions, and train every ``update_every`` steps."""
        self._recent_ratios.append(self._paid[1] if self._paid[0] is batch else self._source_ratio(batch))
        super().update(batch)

    @property
    def largest_log_ratio(self) -> float:
        """Bound on ``|dr|`` [nats]."""
        return self.clip

    def diagnostics(self) -> dict[str, float]:
        """Return how the classifiers do, and the share of recent ratios that were clipped."""
        figures = super().diagnostics()
        if sum(map(len, self._recent_ratios)):
            figures["clip_rate"] = float((np.abs(np.concatenate(self._recent_ratios)) >= self.clip).mean())
        return figures

    def _source_ratio(self, batch: Transitions) -> Float:
        """Return dr of the source transitions in a batch, as ``(b,)``; of none during the warm-up."""
        source = batch.domain == 0
        if not (self._learner.warm and source.any()):
            return np.zeros(0)
        features = self._features(batch)
        return self._learner.classifiers.log_ratio(features if source.all() else features[source])


@dataclass(kw_only=True, eq=False)
class DARA(DARC):
    """DARC with the weight of DARA (Liu et al., 2022, arXiv:2203.06662)."""

    eta: float = 0.1
    """Weight of the compensation [reward per nat]."""
