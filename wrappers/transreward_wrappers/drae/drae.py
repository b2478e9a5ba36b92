"""DRaE as a compensation: the reward under which an agent learns the target's values in the source, over one step.

    r' = r + (rho - 1) (r + gamma nd V(s') - Q(s, a))

``rho`` estimates p_T(s'|s,a) / p_S(s'|s,a) by DARC's classifiers; V and Q are those of the policy that acts, in the
target. An environment's wrapper never sees the policy, and cannot wait for what follows: whole trajectories, and the
policy's ratio, are for replay buffers and datasets, by :meth:`DRaE.trajectory_added`. See ``docs/drae.md``.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray

from transreward_envs.errors import require_count, require_positive, require_share, unknown
from transreward_wrappers.compensation import RECENT, Float, Transitions
from transreward_wrappers.darc.classified import Classified, features_of
from transreward_wrappers.drae.estimates import added_reward, one_step_added, residual
from transreward_wrappers.drae.learner import ValueLearner
from transreward_wrappers.drae.ratios import DynamicsRatio, RatioKind, dynamics_ratio, require_clip, weight
from transreward_wrappers.drae.trajectories import Trajectories
from transreward_wrappers.drae.values import Rows, ValueFunctions, ValueNetworks, ValueRows, require_fitting
from transreward_wrappers.errors import CorruptFileError
from transreward_wrappers.storage import load_tensors, save_tensors, with_prefix, without_prefix

PART = 8_192
"""Transitions that networks are asked of at once: few enough for the cache of a core."""


@dataclass(kw_only=True, eq=False)
class DRaE(Classified):
    """Add ``(rho - 1) (r + gamma nd V(s') - Q(s, a))`` to the rewards of source transitions.

    Classifiers, V and Q learn from the transitions that pass through, while the agent acts in both domains by turns.
    During the warm-up they learn and nothing is added. Target transitions keep their reward.

    Raises:
        TypeError: A setting is not of its kind.
        ValueError: A setting breaks its rule.
    """

    kind: RatioKind = "interval"
    """``classifier``, ``interval``, ``slide`` or ``one``: what is taken for the ratio of dynamics."""

    clip: float = 2.0
    """The largest ratio [-]."""

    gamma: float = 0.99
    """Discount of V and Q; the agent's own."""

    hidden: int = 64
    """Units in each of the two hidden layers, of classifiers as of V and Q."""

    members: int = 3
    """Pairs of classifiers; the interval is between the lowest and the highest."""

    values: str | None = None
    """File that a run with this method has left, of which V and Q are taken over and kept as they are; when left out
    they are learned from what passes through."""

    value_updates: int = 8
    """Gradient steps of V and Q for each of the classifiers'."""

    value_learning_rate: float = 1e-3
    """Adam's, for V and Q."""

    recent: int = 20_000
    """Newest transitions that V and Q learn from: V is the value of the policies that made them."""

    _functions: ValueFunctions = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in get_args(RatioKind):
            raise ValueError(unknown("kind of ratio", self.kind, get_args(RatioKind)))
        require_clip(self.clip)
        require_share("gamma", self.gamma)
        require_positive("value_learning_rate", self.value_learning_rate)
        require_count("value_updates", self.value_updates)
        require_count("recent", self.recent, at_least=1)

    def bind(self, observation_size: int, action_size: int) -> None:
        """Build the learners."""
        super().bind(observation_size, action_size)
        networks = ValueNetworks(
            observation_size=observation_size,
            action_size=action_size,
            gamma=self.gamma,
            hidden=self.hidden,
            learning_rate=self.value_learning_rate,
            seed=self.seed,
        )
        self._learner_of_values = ValueLearner(
            networks, batch_size=self.batch_size, capacity=self.recent, seed=self.seed
        )
        self._functions = self._learner_of_values
        self._waiting: list[ValueRows] = []
        self._recent_ratios: deque[Float] = deque(maxlen=RECENT)
        self._paid: tuple[Transitions | None, DynamicsRatio] = None, DynamicsRatio(low=None, high=None)
        if self.values is not None:
            self._take_over(Path(self.values))

    def hand_in(self, functions: ValueFunctions) -> None:
        """Take V and Q from elsewhere, and learn none; called after :meth:`bind`.

        Raises:
            ValueError: They do not take observations and actions of these sizes, or give something else.
        """
        require_fitting(functions, *self._learner_of_values.networks.sizes)
        self._functions = functions

    def __call__(self, batch: Transitions) -> Float:
        """Return what is added to each reward, as ``(B,)``."""
        delta = np.zeros(len(batch))
        source = batch.domain == 0
        if self._learner.warm and source.any():
            ratio = self._source_ratio(batch)
            self._paid = batch, ratio
            delta[source] = self._one_step(batch if source.all() else batch.select(source), ratio)
        return delta

    def trajectory_added(
        self, batch: Transitions, ends: NDArray[np.bool_], *, log_policy_ratio: Float | None = None, clip: float = 1.0
    ) -> Float:
        """Return what is added to the rewards of whole trajectories, one after the other, as ``(B,)``.

        The reward is ``r'`` of the action-value form, with estimates ``G`` in the residual form over what follows.

        Args:
            batch: The transitions, in order: each but the last of a trajectory ends where the next begins.
            ends: Which of them are the last of a trajectory, as ``(B,)``.
            log_policy_ratio: ``log pi - log mu`` of the actions [nats], as ``(B,)``; 0 when left out.
            clip: The largest weight of an action.

        Raises:
            RuntimeError: The classifiers have not learned anything yet.
            ValueError: Shapes differ, or a network gives what is not finite.
        """
        if not self._learner.warm:
            raise RuntimeError(
                "Trajectories are relabelled by classifiers that have learned; these are in their warm-up of "
                f"{self.warmup} steps. Wait until `ready`."
            )
        value, q, ratio = self._by_parts(batch)
        next_value = np.roll(value, -1)  # what follows a step is observed by the next one, but at an end
        next_value[ends] = self.state_value(batch.next_observation[ends])
        steps = Trajectories(
            reward=batch.reward, value=value, next_value=next_value, terminated=batch.terminated, ends=ends
        )
        weights = None if log_policy_ratio is None else weight(log_policy_ratio, clip=clip)
        estimate = residual(steps, q, gamma=self.gamma, policy_weight=weights, ratio=ratio)
        added: Float = added_reward(steps, q, gamma=self.gamma, ratio=ratio, estimate=estimate)
        return added

    def state_value(self, observation: Float) -> Float:
        """Return V(s), the members' mean, as ``(B,)``."""
        mean: Float = self._functions.state_values(observation).mean(axis=0)
        return mean

    def action_value(self, batch: Transitions) -> Float:
        """Return Q(s, a), the members' mean, as ``(B,)``."""
        mean: Float = self._functions.action_values(batch.observation, batch.action).mean(axis=0)
        return mean

    @property
    def ready(self) -> bool:
        """Whether the warm-up is over."""
        return self._learner.warm

    def update(self, batch: Transitions) -> None:
        """Keep the transitions, and train every ``update_every`` steps."""
        self.update_weighted(batch, np.ones(len(batch)))

    def update_weighted(self, batch: Transitions, policy_weight: Float) -> None:
        """Learn as :meth:`update` does, but V as that of another policy.

        Args:
            batch: The transitions.
            policy_weight: How much likelier that policy is to act as was acted, as ``(B,)``.
        """
        if self._functions is self._learner_of_values:
            self._waiting.append(ValueRows.of(batch, policy_weight))
        source = batch.domain == 0
        if self._learner.warm and source.any():
            of_last, ratio = self._paid
            self._recent_ratios.append((ratio if of_last is batch else self._source_ratio(batch)).high)
        super().update(batch)

    def reseed(self, seed: int) -> None:
        """Draw batches and noise from ``seed`` on."""
        super().reseed(seed)
        self._learner_of_values.reseed(seed)

    def save(self, path: Path) -> None:
        """Write classifiers, V, Q, optimisers, statistics and transitions."""
        parts = {"classifiers": self._learner.state(), "values": self._learner_of_values.state()}
        tensors = {name: tensor for key, (some, _) in parts.items() for name, tensor in with_prefix(key, some).items()}
        if self._waiting:
            tensors["waiting"] = torch.from_numpy(ValueRows.joined(self._waiting).pack())
        about = {**{key: about for key, (_, about) in parts.items()}, "gamma": self.gamma, "shape": self._shape()}
        save_tensors(path, {**tensors, **self._pending_tensors()}, about)

    def load(self, path: Path) -> None:
        """Read what :meth:`save` wrote.

        Raises:
            CorruptFileError: It is not what was written, or of networks of another shape.
        """
        tensors, about = load_tensors(path)
        self._require_shape(path, about)
        self._learner_of_values.restore(without_prefix("values", tensors), about["values"])
        self._learner.restore(without_prefix("classifiers", tensors), about["classifiers"])
        self._restore_pending(tensors)
        waiting = tensors.get("waiting")
        self._waiting = [] if waiting is None else [ValueRows.unpack(waiting.numpy(), self._sizes[0])]

    def share(self, directory: Path) -> None:
        """Learn one set of classifiers, and one V and Q, in several processes."""
        self._learner.share(directory / "drae")
        self._learner_of_values.share(directory / "drae")

    def diagnostics(self) -> dict[str, float]:
        """Return how the classifiers, V and Q do.

        Beside the classifiers' figures: the number of updates of V and Q, their last mean squared error in the
        networks' own units, the mean of recent ratios (the highest of their intervals), and the share that was clipped.
        """
        figures = {**super().diagnostics(), "value_updates": float(self._learner_of_values.updates)}
        if self._learner_of_values.loss is not None:
            figures["value_loss"] = self._learner_of_values.loss
        if self._recent_ratios:
            ratios = np.concatenate(self._recent_ratios)
            figures |= {"ratio_mean": float(ratios.mean()), "clip_rate": float((ratios >= self.clip).mean())}
        return figures

    def _one_step(self, batch: Transitions, ratio: DynamicsRatio) -> Float:
        """Return what is added to source transitions, as ``(B,)``."""
        added: Float = one_step_added(
            reward=batch.reward,
            action_value=self.action_value(batch),
            bootstrap=np.where(batch.terminated, 0.0, self.state_value(batch.next_observation)),
            gamma=self.gamma,
            ratio=ratio,
        )
        return added

    def _source_ratio(self, batch: Transitions) -> DynamicsRatio:
        """Return ratios of dynamics of the source transitions in a batch."""
        features, source = self._features(batch), batch.domain == 0
        return self._ratio(features if source.all() else features[source])

    def _ratio(self, features: Rows, source: NDArray[np.bool_] | None = None) -> DynamicsRatio:
        """Return ratios of dynamics: 1 in the target; NaN, which is refused further on, where a network is broken."""
        log_ratios = self._learner.classifiers.log_ratios(features)
        ratio = dynamics_ratio(log_ratios, self.kind, clip=self.clip)
        low, high = ratio.low, ratio.high
        if not (finite := np.isfinite(log_ratios).all(axis=0)).all():
            low, high = (np.where(finite, side, np.nan) for side in (low, high))
        if source is not None:
            low, high = (np.where(source, side, 1.0) for side in (low, high))
        return DynamicsRatio(low=low, high=high, slides=ratio.slides)

    def _by_parts(self, batch: Transitions) -> tuple[Float, Float, DynamicsRatio]:
        """Return V(s), Q(s, a) and the ratios of many transitions, without the memory that all at once would take."""
        found = []
        for start in range(0, len(batch), PART):
            part = batch.select(slice(start, start + PART))
            ratio = self._ratio(features_of(part), part.domain == 0)
            found.append((self.state_value(part.observation), self.action_value(part), ratio.low, ratio.high))
        value, q, low, high = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
        return value, q, DynamicsRatio(low=low, high=high, slides=self.kind == "slide")

    def _flush(self) -> int:
        """Hand the pending transitions to the classifiers, then to V and Q."""
        updates = super()._flush()
        if self._waiting:
            rows = ValueRows.joined(self._waiting)
            self._waiting = []
            self._learner_of_values.learn(rows, updates=updates * self.value_updates, ratio_of=self._ratio)
        return updates

    def _take_over(self, path: Path) -> None:
        """Take V and Q from a file, to keep them as they are."""
        try:
            tensors, about = load_tensors(path)
        except (FileNotFoundError, CorruptFileError) as error:
            raise ValueError(f"`values` must be a file that DRaE has saved; got {path} ({error})") from error
        if "values" not in about:
            raise ValueError(f"`values` must be a file that DRaE has saved; {path} has no V and Q. Give another.")
        if (theirs := about.get("gamma")) != self.gamma:
            raise ValueError(
                f"V and Q must be of the agent's discount; those in {path} are of {theirs}, and `gamma` is "
                f"{self.gamma}. Give another file, or that `gamma` to both."
            )
        self._learner_of_values.restore(without_prefix("values", tensors), about["values"])
        self._functions = self._learner_of_values.networks
