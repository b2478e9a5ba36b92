"""DARC: off-dynamics rewards from domain classifiers (Eysenbach et al., 2021, arXiv:2006.13916), and DARA.

    dr = log q(T|s,a,s') - log q(S|s,a,s') - log q(T|s,a) + log q(S|s,a)

which estimates ``log p_T(s'|s,a) - log p_S(s'|s,a)``: the agent pays, in the source, for transitions that the target
would not make. DARA (Liu et al., 2022, arXiv:2203.06662) gives the same ``dr``, with a tenth of the weight, to source
data that is learned from offline.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from transreward_envs.errors import require_below_one, require_count, require_non_negative, require_positive, unknown
from transreward_envs.methods import ActsIn
from transreward_envs.pairs import Pair
from transreward_wrappers.compensation import RECENT, Compensation, Float, Transitions
from transreward_wrappers.darc.classifiers import Parameterisation
from transreward_wrappers.darc.learner import ClassifierLearner
from transreward_wrappers.darc.memory import Rows

Mode = Literal["add", "weight"]
TargetReward = Literal["keep", "withhold"]
LARGEST_EXPONENT = 20.0
"""Of a weight; beyond, one transition would outweigh all others."""


@dataclass(kw_only=True, eq=False)
class DARC(Compensation):
    """Add ``eta * clip(dr)`` to the rewards of source transitions, or weigh these rewards by ``exp(eta * clip(dr))``.

    The classifiers learn from the transitions that pass through, while the agent acts in both domains by turns.
    During the warm-up they learn and nothing is added. Weighing makes the reward at ``(s, a)``, on average over ``s'``,
    what it would be in the target; it says nothing about where the target would go from there, which adding does.

    Raises:
        ValueError: A setting breaks its rule.
    """

    acts_in: ClassVar[ActsIn] = "both"

    eta: float = 1.0
    """Weight of the compensation [reward per nat]: 1 in DARC, 0.1 in DARA."""

    clip: float = 10.0
    """Bound on ``|dr|`` before weighting [nats]; of weights, 2 is usual."""

    mode: Mode = "add"
    """Whether the compensation is added to the reward or a weight on it."""

    target_reward: TargetReward = "keep"
    """Whether target transitions keep their reward, or serve the classifiers alone as in DARC's paper: then they earn
    nothing."""

    warmup: int = 10_000
    """Steps, in both domains together, before anything is added."""

    fit_budget: int = 1_000
    """Gradient steps made at once when the warm-up ends, with a progress bar."""

    fit_decay: bool = False
    """Whether the learning rate falls to 0 over the ``fit_budget``: of much use where all is learned in it."""

    update_every: int = 256
    """Steps between two rounds of training."""

    updates: int = 1
    """Gradient steps in a round."""

    batch_size: int = 256
    """Transitions in a batch, half of them from each domain."""

    hidden: int = 128
    """Units in each of the two hidden layers."""

    learning_rate: float = 3e-4
    """Adam's."""

    averaging: float = 0.99
    """Decay of the running average of the weights, from which dr is read [per gradient step]."""

    input_noise: float = 0.1
    """Standard deviation of noise on the normalised inputs in training [-]; it guards against overfitting to few target
    transitions and biases dr towards 0. DARC uses 1 on raw inputs."""

    parameterisation: Parameterisation = "joint"
    """Two classifiers apart, or the second as the first plus an advantage."""

    members: int = 1
    """Pairs of classifiers, of which the mean ratio counts."""

    capacity: int = 100_000
    """Transitions kept of each domain to learn from; half a batch at least. A ninth as many are held out."""

    seed: int = 0
    """Of weights, batches and noise."""

    _learner: ClassifierLearner = field(init=False, repr=False)

    def __post_init__(self) -> None:
        require_non_negative("eta", self.eta)
        require_positive("clip", self.clip)
        require_positive("learning_rate", self.learning_rate)
        require_non_negative("input_noise", self.input_noise)
        require_below_one("averaging", self.averaging)
        if not isinstance(self.fit_decay, bool):
            raise TypeError(f"`fit_decay` must be True or False; got {self.fit_decay!r}.")
        for name, least in {"warmup": 0, "fit_budget": 0, "update_every": 1, "updates": 0, "seed": 0}.items():
            require_count(name, getattr(self, name), at_least=least)
        for name in ("batch_size", "hidden"):
            require_count(name, getattr(self, name), at_least=2)
        require_count("members", self.members, at_least=1)
        require_count("capacity", self.capacity, at_least=self.batch_size // 2)
        choices = {"parameterisation": Parameterisation, "mode": Mode, "target_reward": TargetReward}
        for name, choice in choices.items():
            if getattr(self, name) not in get_args(choice):
                raise ValueError(unknown(name, getattr(self, name), get_args(choice)))
        if self.mode == "weight" and self.eta * self.clip > LARGEST_EXPONENT:
            raise ValueError(
                f"The largest weight is exp(eta * clip), whose exponent may be {LARGEST_EXPONENT:g}; got "
                f"{self.eta:g} * {self.clip:g}. Lower `clip`; 2 is usual."
            )

    def check(self, pair: Pair) -> None:
        """Refuse a pair whose observations hide actions under way: it is not Markov in (s, a, s')."""
        if pair.hides_actions:
            raise ValueError(
                f"DARC needs observations that hold every action under way; {pair.name} delays actions by up to "
                f"{max(pair.delay('source'), pair.delay('target'))} steps and observes {pair.observe_actions}. Make "
                "the pair with `observe_actions` at least as large as the delay."
            )

    def bind(self, observation_size: int, action_size: int) -> None:
        """Build the learner."""
        self._learner = ClassifierLearner(
            observation_size=observation_size,
            action_size=action_size,
            hidden=self.hidden,
            parameterisation=self.parameterisation,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            members=self.members,
            input_noise=self.input_noise,
            capacity=self.capacity,
            averaging=self.averaging,
            fit_decay=self.fit_decay,
            seed=self.seed,
        )
        self._pending: list[tuple[Rows, NDArray[np.int64]]] = []
        self._pending_steps = 0
        self._recent_ratios: deque[Float] = deque(maxlen=RECENT)
        self._last: tuple[Transitions | None, Rows] = None, np.zeros((0, 0), np.float32)
        self._paid: tuple[Transitions | None, Float] = None, np.zeros(0)

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

    def log_ratio(self, batch: Transitions) -> Float:
        """Return dr itself [nats], neither clipped nor weighted, for any transitions, as ``(B,)``."""
        return self._learner.log_ratio(features_of(batch))

    def update(self, batch: Transitions) -> None:
        """Keep the transitions, and train every ``update_every`` steps."""
        self._recent_ratios.append(self._paid[1] if self._paid[0] is batch else self._source_ratio(batch))
        self._pending.append((self._features(batch), batch.domain))
        self._pending_steps += len(batch)
        if self._learner.owed + self._pending_steps >= self.update_every:
            self._flush()

    def _source_ratio(self, batch: Transitions) -> Float:
        """Return dr of the source transitions in a batch, as ``(b,)``; of none during the warm-up."""
        source = batch.domain == 0
        if not (self._learner.warm and source.any()):
            return np.zeros(0)
        features = self._features(batch)
        return self._learner.log_ratio(features if source.all() else features[source])

    def _features(self, batch: Transitions) -> Rows:
        """Return the features of a batch; the last one's are at hand, because it is paid for, then learned from."""
        if self._last[0] is not batch:
            self._last = batch, features_of(batch)
        return self._last[1]

    def reseed(self, seed: int) -> None:
        """Draw batches and noise from ``seed`` on."""
        self._learner.reseed(seed)

    def save(self, path: Path) -> None:
        """Write classifiers, optimiser, statistics and transitions."""
        self._flush()
        self._learner.save(path)

    def load(self, path: Path) -> None:
        """Read what :meth:`save` wrote."""
        self._pending, self._pending_steps = [], 0
        self._learner.load(path)

    def share(self, directory: Path) -> None:
        """Learn one pair of classifiers in several processes."""
        self._learner.share(directory / "darc")

    def diagnostics(self) -> dict[str, float]:
        """Return how the classifiers do.

        These are the number of their updates, their last mean cross-entropy [nats], the share of held-out transitions
        that each tells apart, and the share of recent ratios that were clipped.
        """
        figures = {"classifier_updates": float(self._learner.updates)}
        if self._learner.loss is not None:
            figures["classifier_loss"] = self._learner.loss
        if sum(map(len, self._recent_ratios)):
            figures["clip_rate"] = float((np.abs(np.concatenate(self._recent_ratios)) >= self.clip).mean())
        return {**figures, **self._learner.accuracies()}

    @property
    def learner(self) -> ClassifierLearner:
        """The classifiers, and what they learn from."""
        return self._learner

    def _flush(self) -> None:
        """Hand the pending transitions to the learner."""
        if not self._pending:
            return
        rows = np.concatenate([features for features, _ in self._pending])
        domain = np.concatenate([index for _, index in self._pending])
        self._pending, self._pending_steps = [], 0
        self._learner.learn(
            rows[domain == 0],
            rows[domain == 1],
            updates=self.updates,
            every=self.update_every,
            warmup=self.warmup,
            burst=self.fit_budget,
        )


@dataclass(kw_only=True, eq=False)
class DARA(DARC):
    """DARC with the weight of DARA (Liu et al., 2022, arXiv:2203.06662)."""

    eta: float = 0.1
    """Weight of the compensation [reward per nat]."""


def features_of(batch: Transitions) -> Rows:
    """Return ``s``, ``a`` and ``s' - s`` side by side, as ``(B, width)`` in float32."""
    change = batch.next_observation - batch.observation
    return np.concatenate([batch.observation, batch.action, change], axis=1, dtype=np.float32, casting="same_kind")
