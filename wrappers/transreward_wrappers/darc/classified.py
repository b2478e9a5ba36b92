"""What every compensation has that rests on domain classifiers: their settings, and how they learn."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from transreward_envs.errors import require_below_one, require_count, require_non_negative, require_positive, unknown
from transreward_envs.methods import ActsIn
from transreward_envs.pairs import Pair
from transreward_wrappers.compensation import Compensation, Float, Transitions
from transreward_wrappers.darc.classifiers import Parameterisation
from transreward_wrappers.darc.learner import ClassifierLearner
from transreward_wrappers.darc.memory import Rows
from transreward_wrappers.errors import CorruptFileError
from transreward_wrappers.storage import Tensors, load_tensors, save_tensors, with_prefix, without_prefix

LARGEST_LOG_RATIO = 20.0
"""Beyond, one transition would outweigh all others, or count for nothing [nats]."""


@dataclass(kw_only=True, eq=False)
class Classified(Compensation):
    """Knows the log-ratio of dynamics, by classifiers that learn from the transitions that pass through.

    Raises:
        TypeError: A setting is not of its kind.
        ValueError: A setting breaks its rule.
    """

    acts_in: ClassVar[ActsIn] = "both"

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

    quadratic: bool = False
    """Whether classifiers see the products of each two features too: where noise is Gaussian and motion linear, the
    log-ratio is linear in them."""

    members: int = 1
    """Pairs of classifiers, of which the mean ratio counts."""

    capacity: int = 100_000
    """Transitions kept of each domain to learn from; half a batch at least. A ninth as many are held out."""

    seed: int = 0
    """Of weights, batches and noise."""

    _learner: ClassifierLearner = field(init=False, repr=False)

    def __post_init__(self) -> None:
        require_positive("learning_rate", self.learning_rate)
        require_non_negative("input_noise", self.input_noise)
        require_below_one("averaging", self.averaging)
        for name in ("fit_decay", "quadratic"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"`{name}` must be True or False; got {getattr(self, name)!r}.")
        for name, least in {"warmup": 0, "fit_budget": 0, "update_every": 1, "updates": 0, "seed": 0}.items():
            require_count(name, getattr(self, name), at_least=least)
        for name in ("batch_size", "hidden"):
            require_count(name, getattr(self, name), at_least=2)
        require_count("members", self.members, at_least=1)
        require_count("capacity", self.capacity, at_least=self.batch_size // 2)
        if self.parameterisation not in get_args(Parameterisation):
            raise ValueError(unknown("parameterisation", self.parameterisation, get_args(Parameterisation)))

    def check(self, pair: Pair) -> None:
        """Refuse a pair whose observations hide actions under way: it is not Markov in (s, a, s')."""
        if pair.hides_actions:
            raise ValueError(
                f"{type(self).__name__} needs observations that hold every action under way; {pair.name} delays "
                f"actions by up to {max(pair.delay('source'), pair.delay('target'))} steps and observes "
                f"{pair.observe_actions}. Make the pair with `observe_actions` at least as large as the delay."
            )

    def bind(self, observation_size: int, action_size: int) -> None:
        """Build the learner."""
        self._sizes = [observation_size, action_size]
        sizes: dict[str, Any] = {"observation_size": observation_size, "action_size": action_size}
        self._learner = ClassifierLearner(seeds=(self.seed,), **sizes, **self.learner_settings())
        self._pending: list[tuple[Rows, NDArray[np.int64]]] = []
        self._pending_steps = 0
        self._last: tuple[Transitions | None, Rows] = None, np.zeros((0, 0), np.float32)

    def learner_settings(self) -> dict[str, Any]:
        """Return what any learner of these settings is told, whatever its seeds."""
        names = ("hidden", "parameterisation", "learning_rate", "batch_size", "input_noise", "capacity", "averaging")
        return {name: getattr(self, name) for name in (*names, "fit_decay", "quadratic", "members")}

    def adopt(self, learner: ClassifierLearner) -> None:
        """Take a learner, which may have learnt already, in place of the one that was built."""
        self._learner = learner

    def log_ratio(self, batch: Transitions) -> Float:
        """Return dr itself [nats], neither clipped nor weighted, for any transitions, as ``(B,)``."""
        return self._learner.classifiers.log_ratio(features_of(batch))

    def update(self, batch: Transitions) -> None:
        """Keep the transitions, and train every ``update_every`` steps."""
        self._pending.append((self._features(batch), batch.domain))
        before = self._learner.steps + self._pending_steps
        self._pending_steps += len(batch)
        warmed_up = before < self.warmup <= before + len(batch)
        if warmed_up or self._learner.owed + self._pending_steps >= self.update_every:
            self._flush()

    @property
    def largest_log_ratio(self) -> float:
        """Bound on ``|dr|`` [nats]."""
        return LARGEST_LOG_RATIO

    def reseed(self, seed: int) -> None:
        """Draw batches and noise from ``seed`` on."""
        self._learner.classifiers.reseed(seed)

    def save(self, path: Path) -> None:
        """Write classifiers, optimiser, statistics and transitions; what is yet to be learned from stays so."""
        tensors, about = self._learner.state()
        save_tensors(path, {**tensors, **self._pending_tensors()}, {**about, "shape": self._shape()})

    def load(self, path: Path) -> None:
        """Read what :meth:`save` wrote.

        Raises:
            CorruptFileError: It is not what was written, or of classifiers of another shape.
        """
        tensors, about = load_tensors(path)
        self._require_shape(path, about)
        self._learner.restore(tensors, about)
        self._restore_pending(tensors)

    def share(self, directory: Path) -> None:
        """Learn one pair of classifiers in several processes."""
        self._learner.share(directory / "darc")

    def diagnostics(self) -> dict[str, float]:
        """Return how the classifiers do.

        These are the number of their updates, their last mean cross-entropy [nats], and the share of held-out
        transitions that each tells apart.
        """
        classifiers = self._learner.classifiers
        figures = {"classifier_updates": float(classifiers.updates)}
        if classifiers.loss is not None:
            figures["classifier_loss"] = classifiers.loss
        return {**figures, **self._learner.accuracies()}

    @property
    def learner(self) -> ClassifierLearner:
        """The classifiers, and what they learn from."""
        return self._learner

    def _features(self, batch: Transitions) -> Rows:
        """Return the features of a batch; the last one's are at hand, because it is paid for, then learned from."""
        if self._last[0] is not batch:
            self._last = batch, features_of(batch)
        return self._last[1]

    def _shape(self) -> dict[str, Any]:
        """Return what weights in a file have in common with those here, as JSON types."""
        names = ("parameterisation", "quadratic", "members", "hidden")
        return {"sizes": self._sizes, **{name: getattr(self, name) for name in names}}

    def _require_shape(self, path: Path, about: dict[str, Any]) -> None:
        """Raise ``CorruptFileError`` unless a file is of classifiers like these."""
        if (theirs := about.get("shape")) not in (None, mine := self._shape()):
            raise CorruptFileError(
                f"Classifiers are read from a file of classifiers of their own shape; {path} is of {theirs}, not "
                f"{mine}. Give another, or the settings that it was made with."
            )

    def _pending_tensors(self) -> Tensors:
        """Return the transitions that are yet to be learned from; none where there are none."""
        if not self._pending:
            return {}
        features, domain = (np.concatenate(parts) for parts in zip(*self._pending, strict=True))
        return with_prefix("pending", {"features": torch.from_numpy(features), "domain": torch.from_numpy(domain)})

    def _restore_pending(self, tensors: Tensors) -> None:
        """Put back what :meth:`_pending_tensors` returned."""
        pending = without_prefix("pending", tensors)
        self._pending = [(pending["features"].numpy(), pending["domain"].numpy())] if pending else []
        self._pending_steps = sum(len(domain) for _, domain in self._pending)

    def _flush(self) -> int:
        """Hand the pending transitions to the learner; return the gradient steps that it took."""
        if not self._pending:
            return 0
        rows = np.concatenate([features for features, _ in self._pending])
        domain = np.concatenate([index for _, index in self._pending])
        self._pending, self._pending_steps = [], 0
        return self._learner.learn(
            rows[domain == 0],
            rows[domain == 1],
            updates=self.updates,
            every=self.update_every,
            warmup=self.warmup,
            burst=self.fit_budget,
        )


def features_of(batch: Transitions) -> Rows:
    """Return ``s``, ``a`` and ``s' - s`` side by side, as ``(B, width)`` in float32."""
    change = batch.next_observation - batch.observation
    return np.concatenate([batch.observation, batch.action, change], axis=1, dtype=np.float32, casting="same_kind")
