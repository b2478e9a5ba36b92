"""A replay buffer of transitions from many lanes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from transreward_baselines.lanes import LaneSteps, PaidFor
from transreward_envs.errors import require_count, unknown
from transreward_envs.training.roles import DOMAIN_INDEX
from transreward_wrappers.compensation import Transitions

LearnFrom = Literal["both", "source"]
"""Whose transitions are drawn: those of both domains, or of the source alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Transitions drawn from a buffer, ``n`` of them."""

    observations: torch.Tensor
    """``(n, observation_size)``."""

    actions: torch.Tensor
    """In ``[-1, 1]``, as ``(n, action_size)``."""

    rewards: torch.Tensor
    """``(n,)``."""

    next_observations: torch.Tensor
    """Of the same episode, as ``(n, observation_size)``."""

    terminated: torch.Tensor
    """Whether nothing is to be expected beyond, which a time limit does not mean; booleans as ``(n,)``."""


class ReplayBuffer:
    """Keeps the newest transitions, each of one episode, and draws from them at random.

    With ``pays`` it keeps the environment's own rewards, and draws transitions with what a compensation makes of them
    at that moment: one that learns says something else by then than when the transition was made.

    Args:
        capacity: Number of transitions that are kept.
        observation_size: Length of an observation.
        action_size: Length of an action.
        seed: Of the draws.
        pays: From transitions, with actions in ``[-1, 1]``, to what is paid for them when they are drawn; rewards stay
            as they were paid when ``None``.
        learn_from: Draw transitions of both domains, or of the source alone.

    Raises:
        ValueError: A number breaks its rule, or domains are chosen among without a compensation.
    """

    def __init__(
        self,
        capacity: int,
        observation_size: int,
        action_size: int,
        *,
        seed: int,
        pays: PaidFor | None = None,
        learn_from: LearnFrom = "both",
    ) -> None:
        require_count("capacity", capacity, at_least=1)
        require_learn_from(learn_from, relabels=pays is not None)
        self.capacity, self.size = capacity, 0
        self._position = 0
        self._generator = np.random.default_rng(seed)
        self._pays, self._learn_from = pays, learn_from
        self._arrays: dict[str, NDArray[Any]] = {
            "observations": np.zeros((capacity, observation_size), np.float32),
            "actions": np.zeros((capacity, action_size), np.float32),
            "rewards": np.zeros(capacity, np.float32),
            "next_observations": np.zeros((capacity, observation_size), np.float32),
            "terminated": np.zeros(capacity, np.bool_),
        }
        if pays is not None:
            self._arrays |= {"domains": np.zeros(capacity, np.int8), "failed": np.zeros(capacity, np.bool_)}

    def reseed(self, generator: np.random.Generator) -> None:
        """Draw from a stream of its own that a generator begins."""
        (self._generator,) = generator.spawn(1)

    def add(self, observations: NDArray[Any], actions: NDArray[Any], steps: LaneSteps) -> int:
        """Add what a step of all lanes gave, but for lanes that only started again; return how many were added.

        Args:
            observations: Those acted on, as ``(B, observation_size)``.
            actions: Those taken, as ``(B, action_size)``.
            steps: What came of them.
        """
        given = {
            "observations": observations,
            "actions": actions,
            "rewards": steps.rewards,
            "next_observations": steps.last_observations,
            "terminated": steps.terminated,
        }
        if self._pays is not None:
            given |= {"rewards": steps.told("reward/env"), "domains": steps.told("domain"), "failed": steps.failed}
        self._append({name: values[steps.valid] for name, values in given.items()})
        return int(steps.valid.sum())

    def sample(self, count: int, device: torch.device) -> Batch:
        """Return transitions drawn with replacement."""
        if self.size == 0:
            raise ValueError("A buffer must hold transitions before any can be drawn; it is empty. Add some first.")
        if self._learn_from == "both":
            return self._batch(self._draw(self.size, count), device)
        return self._batch(draw_source(self._arrays["domains"][: self.size], count, self._draw), device)

    def newest(self, count: int, device: torch.device) -> Batch:
        """Return the newest transitions, or as many as there are."""
        return self._batch((self._position - 1 - np.arange(min(count, self.size))) % self.capacity, device)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the transitions, the oldest first."""
        start = self._position if self.size == self.capacity else 0
        order = (start + np.arange(self.size)) % self.capacity
        return {name: torch.from_numpy(array[order]) for name, array in self._arrays.items()}

    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put back what :meth:`tensors` returned: the newest transitions, if there are more than fit.

        Raises:
            ValueError: They were kept by a buffer that relabels and this one does not, or the other way round.
        """
        require_arrays(tensors, self._arrays)
        self.size = self._position = 0
        self._append({name: tensors[name].numpy() for name in self._arrays})

    def _draw(self, below: int, count: int) -> NDArray[np.int64]:
        return self._generator.integers(below, size=count)

    def _batch(self, where: NDArray[np.int64], device: torch.device) -> Batch:
        """Return the transitions at these positions, paid as the compensation says now."""
        drawn = {name: array[where] for name, array in self._arrays.items()}
        if self._pays is not None:
            domains, failed = drawn.pop("domains"), drawn.pop("failed")
            transitions = Transitions(
                observation=drawn["observations"].astype(np.float64),
                action=drawn["actions"].astype(np.float64),
                reward=drawn["rewards"].astype(np.float64),
                next_observation=drawn["next_observations"].astype(np.float64),
                terminated=drawn["terminated"],
                domain=domains.astype(np.int64),
            )
            drawn["rewards"] = self._pays(transitions, failed).astype(np.float32)
        return Batch(**{name: torch.from_numpy(values).to(device) for name, values in drawn.items()})

    def _append(self, values: Mapping[str, NDArray[Any]]) -> None:
        given = len(values["rewards"])
        count = min(given, self.capacity)
        where = (self._position + np.arange(count)) % self.capacity
        for name, array in self._arrays.items():
            array[where] = values[name][given - count :]
        self._position = (self._position + count) % self.capacity
        self.size = min(self.size + count, self.capacity)


def draw_source(
    domains: NDArray[np.int8], count: int, draw: Callable[[int, int], NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Return positions of source transitions, drawn with replacement, as ``(count,)``.

    Args:
        domains: Domain of each transition that is kept, as ``(size,)``.
        count: Number of positions.
        draw: From a bound and a count to as many integers from 0 to below that bound, uniformly.

    Raises:
        ValueError: There is no source transition.
    """
    drawn = draw(len(domains), 2 * count)
    found: NDArray[np.int64] = drawn[domains[drawn] == DOMAIN_INDEX["source"]]
    if len(found) >= count:
        return found[:count]
    everywhere = np.flatnonzero(domains == DOMAIN_INDEX["source"])  # where few are of the source
    if len(everywhere) == 0:
        raise ValueError(
            f"An agent that learns from the source alone needs transitions from there; all {len(domains)} are of the "
            "target. A method that acts in the target alone has no others: learn from both."
        )
    return np.asarray(everywhere[draw(len(everywhere), count)])


def require_learn_from(learn_from: str, *, relabels: bool) -> None:
    """Check whose transitions are to be drawn.

    Raises:
        ValueError: The name is unknown, or rewards are not relabelled, so that domains are not kept.
    """
    if learn_from not in get_args(LearnFrom):
        raise ValueError(unknown("setting of `learn_from`", learn_from, get_args(LearnFrom)))
    if learn_from != "both" and not relabels:
        raise ValueError(
            f"`learn_from` can be {learn_from!r} where rewards are relabelled, which needs a compensation; here they "
            "are not."
        )


def require_arrays(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Check that a kept buffer has what one that is to take its transitions needs.

    Raises:
        ValueError: One of the two relabels rewards, and the other does not.
    """
    if missing := sorted(wanted.keys() - found.keys()):
        raise ValueError(
            f"Rewards that are relabelled when they are drawn need {', '.join(missing)} of each transition; this "
            "buffer was kept without, its rewards frozen as they were paid. Go on without relabelling."
        )
    if more := sorted(found.keys() - wanted.keys()):
        raise ValueError(
            f"This buffer was kept with {', '.join(more)}, for rewards that are relabelled when they are drawn: those "
            "in it lack their compensation. Go on with relabelling."
        )
