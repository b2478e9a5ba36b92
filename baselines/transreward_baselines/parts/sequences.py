"""A replay buffer of episodes as they went, from which windows of consecutive steps are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from transreward_baselines.lanes import LaneSteps
from transreward_envs.errors import require_count
from transreward_wrappers.world_models.windows import Windows

Indices = NDArray[np.int64]


class SequenceBuffer:
    """Keeps the newest states of each lane, episode after episode, and draws windows of which none crosses two.

    A state has what was observed, what was done there and what came of it. An episode's last state, in which nothing is
    done, is kept too, so that every step has the state it led to.

    Args:
        capacity: Number of states that are kept, of all lanes together.
        num_envs: Number of lanes.
        observation_size: Length of an observation.
        action_size: Length of an action.
        seed: Of the draws.
        dtype: Of observations: ``uint8`` for pixels.

    Raises:
        ValueError: A number breaks its rule.
    """

    def __init__(
        self,
        capacity: int,
        num_envs: int,
        observation_size: int,
        action_size: int,
        *,
        seed: int,
        dtype: Any = np.float32,
    ) -> None:
        require_count("capacity", capacity, at_least=1)
        self._rows = max(capacity // num_envs, 2)
        self.capacity = self._rows * num_envs
        self._written = np.zeros(num_envs, np.int64)
        self._ages = np.zeros(num_envs, np.int32)
        self._generator = np.random.default_rng(seed)
        shape = (num_envs, self._rows)
        self._arrays: dict[str, NDArray[Any]] = {
            "observations": np.zeros((*shape, observation_size), dtype),
            "actions": np.zeros((*shape, action_size), np.float32),
            "rewards": np.zeros(shape, np.float32),
            "terminated": np.zeros(shape, np.bool_),
            "last": np.zeros(shape, np.bool_),
            "ages": np.zeros(shape, np.int32),  # steps since the episode began
        }

    @property
    def size(self) -> int:
        """Return the number of states that are there."""
        return int((self._written - self._oldest()).sum())

    def reseed(self, generator: np.random.Generator) -> None:
        """Draw from a stream of its own that a generator begins."""
        (self._generator,) = generator.spawn(1)

    def add(self, observations: NDArray[Any], actions: NDArray[Any], steps: LaneSteps) -> int:
        """Add what a step of all lanes gave, but for lanes that only started again; return how many were added.

        An episode whose physics blew up ends before that step, which counts and is not kept.

        Args:
            observations: Those acted on, as ``(B, observation_size)``.
            actions: Those taken, as ``(B, action_size)``.
            steps: What came of them.
        """
        lanes = np.flatnonzero(steps.valid)
        stepped = ~steps.failed[lanes]
        self._write(
            lanes,
            observations=observations[lanes],
            actions=np.where(stepped[:, None], actions[lanes], 0.0),
            rewards=np.where(stepped, steps.rewards[lanes], 0.0),
            terminated=steps.terminated[lanes] & stepped,
            last=~stepped,
        )
        ended = np.flatnonzero(steps.done & steps.valid & ~steps.failed)
        self._write(
            ended, observations=steps.last_observations[ended], actions=0.0, rewards=0.0, terminated=False, last=True
        )
        self._ages[steps.done] = 0
        return len(lanes)

    def draw(self, count: int, length: int, device: torch.device) -> Windows:
        """Return windows of ``length`` steps, drawn with replacement, observations as float32.

        Those that an episode's end would cut begin earlier, as far as the episode does; what is missing then is masked.

        Raises:
            ValueError: There is no step to draw.
        """
        lanes, starts = self._starts(count)
        ahead = np.arange(length + 1)
        rows = starts[:, None] + ahead
        newest = self._written[lanes, None] - 1
        ends = (rows >= newest) | self._arrays["last"][lanes[:, None], rows % self._rows]
        steps = np.where(ends.any(axis=1), ends.argmax(axis=1), length)
        room = np.minimum(self._arrays["ages"][lanes, starts % self._rows], starts - self._oldest()[lanes])
        earlier = np.minimum(length - steps, room)
        steps = steps + earlier
        rows = (starts - earlier)[:, None] + np.minimum(ahead, steps[:, None])
        drawn = {name: array[lanes[:, None], rows % self._rows] for name, array in self._arrays.items()}
        there = ahead[:-1] < steps[:, None]
        return Windows(
            observations=_tensor(drawn["observations"], device),
            actions=_tensor(drawn["actions"][:, :-1], device),
            rewards=_tensor(drawn["rewards"][:, :-1], device),
            terminated=torch.from_numpy(drawn["terminated"][:, :-1] & there).to(device),
            mask=_tensor(there, device),
        )

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the states, lane after lane and the oldest first, and how many each lane has."""
        counts = self._written - self._oldest()
        kept = {
            name: np.concatenate([array[lane, self._order(lane)] for lane in range(len(counts))])
            for name, array in self._arrays.items()
        }
        return {name: torch.from_numpy(values) for name, values in {**kept, "counts": counts}.items()}

    def load(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Put back what :meth:`tensors` returned, the newest states of each lane if there are more than fit.

        Episodes that were not over end there, in the state last acted on: what followed is not known.
        """
        self._written[:], self._ages[:] = 0, 0
        ends = np.cumsum(tensors["counts"].numpy())
        for lane, (start, end) in enumerate(zip(ends - tensors["counts"].numpy(), ends, strict=True)):
            count = min(end - start, self._rows)
            for name, array in self._arrays.items():
                array[lane, :count] = tensors[name].numpy()[end - count : end]
            self._written[lane] = count
            if count:
                self._arrays["last"][lane, count - 1] = True

    def _oldest(self) -> Indices:
        return np.maximum(self._written - self._rows, 0)

    def _order(self, lane: int) -> Indices:
        return np.arange(self._oldest()[lane], self._written[lane]) % self._rows

    def _write(self, lanes: Indices, **values: Any) -> None:
        where = (lanes, self._written[lanes] % self._rows)
        for name, given in values.items():
            self._arrays[name][where] = given
        self._arrays["ages"][where] = self._ages[lanes]
        self._ages[lanes] += 1
        self._written[lanes] += 1

    def _starts(self, count: int) -> tuple[Indices, Indices]:
        """Return lanes, and numbers of states in them that a step was taken from, as ``(count,)`` each."""
        ends = np.cumsum(np.maximum(self._written - 1 - self._oldest(), 0))  # a lane's newest step leads nowhere yet
        if ends[-1]:
            lanes, rows = self._places(self._generator.integers(ends[-1], size=2 * count), ends)
            if (found := np.flatnonzero(~self._arrays["last"][lanes, rows % self._rows])[:count]).size == count:
                return lanes[found], rows[found]
        lanes, rows = self._places(np.arange(ends[-1]), ends)  # where most states are the last of an episode
        everywhere = np.flatnonzero(~self._arrays["last"][lanes, rows % self._rows])
        if everywhere.size == 0:
            raise ValueError("A buffer must hold steps before any can be drawn; it is empty. Add some first.")
        found = everywhere[self._generator.integers(everywhere.size, size=count)]
        return lanes[found], rows[found]

    def _places(self, numbers: Indices, ends: Indices) -> tuple[Indices, Indices]:
        """Return lanes and rows of states that are counted through all lanes, which end at ``ends``."""
        lanes = np.searchsorted(ends, numbers, side="right")
        before = np.concatenate([[0], ends[:-1]])
        return lanes, numbers - before[lanes] + self._oldest()[lanes]


def _tensor(values: NDArray[Any], device: torch.device) -> torch.Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(device)
