"""The data of many runs on one device: sets that several runs share are kept once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from transreward_baselines.offline.fresh import Fresh
from transreward_baselines.offline.requirements import (
    free_memory,
    require_alike,
    require_memory,
    require_of_pair,
    space_of,
)
from transreward_baselines.offline.streams import Streams
from transreward_envs import get_pair
from transreward_wrappers.datasets import Dataset, load_dataset
from transreward_wrappers.policies import unscale_actions
from transreward_wrappers.storage import Tensors

JOIN = "+"
"""Between the datasets of one run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """``B`` transitions of each of R runs."""

    observations: torch.Tensor
    """Normalised, as ``(R, B, observation_size)``."""

    actions: torch.Tensor
    """In ``[-1, 1]``, as ``(R, B, action_size)``."""

    rewards: torch.Tensor
    """As ``(R, B)``."""

    next_observations: torch.Tensor
    """Normalised, as ``(R, B, observation_size)``."""

    bootstrap: torch.Tensor
    """1 where values count beyond, 0 where the task ended, as ``(R, B)``."""

    where: torch.Tensor
    """Positions in all data, as ``(R, B)``; -1 of what no data hold."""

    def part(self, index: torch.Tensor) -> Batch:
        """Return the transitions of all runs at these places of the batch, ``(n,)``."""
        return Batch(**{name: getattr(self, name)[:, index] for name in Batch.__slots__})

    def joined(self, other: Batch) -> Batch:
        """Return the transitions of both, this one's first."""
        return Batch(
            **{name: torch.cat([getattr(one, name) for one in (self, other)], dim=1) for name in self.__slots__}
        )


class OfflineData:
    """Draws batches for each run from the datasets that it has.

    Args:
        names: Of each run, the ids or folders of its datasets, joined by ``+``.
        root: Folder of all datasets; Minari's when left out.
        device: Where batches are needed.
        normalise: Whether observations are normalised by mean and deviation of each run's own data.
        pair: Name of the pair whose data they are to be; when left out, nothing is asked of them.

    Raises:
        FileNotFoundError: A dataset is not there.
        DatasetError: One is damaged, of another schema, or has values that are not finite.
        ValueError: They have other spaces than one another, or are of another pair.
        MemoryError: They take more memory than there is.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        device: torch.device,
        normalise: bool = True,
        root: Path | None = None,
        pair: str | None = None,
    ) -> None:
        sets = {name: load_dataset(name, root) for joined in names for name in joined.split(JOIN)}
        if pair is not None:
            require_of_pair(sets, get_pair(pair))
        require_alike(sets)
        require_memory(sets, device)
        lengths = {name: dataset.total_steps for name, dataset in sets.items()}
        starts = dict(zip(sets, np.cumsum([0, *lengths.values()]).tolist(), strict=False))
        self.arrays = _filled(sets, starts, device)
        parts = [joined.split(JOIN) for joined in names]
        most = max(map(len, parts))
        self._starts, self._ends = torch.zeros(2, len(names), most, dtype=torch.int64)
        for run, own in enumerate(parts):
            ends = np.cumsum([lengths[name] for name in own]).tolist()
            for index in range(most):
                last = min(index, len(own) - 1)
                self._starts[run, index] = starts[own[last]] - (ends[last] - lengths[own[last]])
                self._ends[run, index] = ends[last]
        self.sizes = self._ends[:, -1].clone()
        """Transitions of each run, as ``(R,)``."""
        self._starts, self._ends = self._starts.to(device), self._ends.to(device)
        self.observation_size = self.arrays["observations"].shape[1]
        self.action_size = self.arrays["actions"].shape[1]
        spans = [[slice(starts[name], starts[name] + lengths[name]) for name in own] for own in parts]
        self.mean, self.deviation = self._statistics(spans, normalise=normalise)
        """Of each run's observations, as ``(R, 1, observation_size)``."""
        self.fresh: Fresh | None = None
        """What each run itself has met since; none unless room is reserved."""

    def sample(self, streams: Streams, count: int, name: str = "batch") -> Batch:
        """Return transitions drawn with replacement, ``count`` for each run, by the streams of that name.

        Once there are fresh ones to be drawn, they have their share, evenly spread over the batch, but are never more
        than there are.
        """
        drawn = streams.uniform(name, count).double()
        where = self.positions((drawn * self._ends[:, -1:]).long())
        if self.fresh is not None and self.fresh.shown:
            chosen = self.fresh.draw(streams, count, name)
            where[:, chosen.places] = chosen.where
        return self.rows(where)

    def reserve(self, count: int, share: float) -> None:
        """Make room for ``count`` fresh transitions of each run, which are to have a share of batches.

        Raises:
            MemoryError: They take more memory than there is.
        """
        runs, device = len(self.sizes), self.mean.device
        width = sum(array[0].numel() for array in self.arrays.values())
        needed, free = 4 * width * (runs * count + len(self.arrays["rewards"])), free_memory(device)
        if needed > free:
            raise MemoryError(
                f"{count:,} fresh transitions of each of {runs} runs beside all data take {needed / 2**30:.1f} GiB on "
                f"{device}, which has {free / 2**30:.1f} GiB free. Lower `finetune_steps`, or give fewer runs."
            )
        first = len(self.arrays["rewards"]) + count * torch.arange(runs, device=device)[:, None]
        for field, array in self.arrays.items():
            self.arrays[field] = torch.cat([array, array.new_zeros(runs * count, *array.shape[1:])])
        self.fresh = Fresh(self.arrays, first, share)

    def positions(self, index: torch.Tensor) -> torch.Tensor:
        """Return where in all data the transitions of each run are, from their index in the run's own, ``(R, B)``."""
        which = (index[:, :, None] >= self._ends[:, None, :-1]).sum(dim=2)
        found: torch.Tensor = index + self._starts.gather(1, which)
        return found

    def whole(self, run: int) -> torch.Tensor:
        """Return where in all data all transitions of a run are, as ``(size,)``."""
        index = torch.arange(int(self.sizes[run]), device=self._ends.device)
        which = torch.bucketize(index, self._ends[run, :-1].contiguous(), right=True)
        found: torch.Tensor = index + self._starts[run, which]
        return found

    def rows(self, where: torch.Tensor) -> Batch:
        """Return the transitions at positions ``(R, B)`` in all data."""
        found = {field: array[where] for field, array in self.arrays.items()}
        return Batch(
            observations=self.normalised(found["observations"]),
            actions=found["actions"],
            rewards=found["rewards"],
            next_observations=self.normalised(found["next_observations"]),
            bootstrap=1.0 - found["terminated"],
            where=where,
        )

    def return_spans(self) -> torch.Tensor:
        """Return by how much the best episode's return exceeds the worst's in each run's data, as ``(R,)``.

        Those that a recording's end cut short do not count: an episode is whole if the task ended in it, or if it is as
        long as the run's longest.
        """
        over = (self.arrays["terminated"] + self.arrays["truncated"]).clamp(max=1.0)
        spans: dict[bytes, torch.Tensor] = {}  # runs that differ in seed share data
        keys = [
            torch.cat([self._starts[run], self._ends[run]]).cpu().numpy().tobytes() for run in range(len(self.sizes))
        ]
        for run, key in enumerate(keys):
            if key not in spans:
                where = self.whole(run)
                ended = over[where].long()
                episode = ended.cumsum(0) - ended  # the step that ends one belongs to it
                lengths, terminated = torch.bincount(episode), self.arrays["terminated"][where]
                returns = torch.bincount(episode, weights=self.arrays["rewards"][where].double())
                returns = returns[(torch.bincount(episode, weights=terminated) > 0.0) | (lengths == lengths.max())]
                spans[key] = returns.max() - returns.min()
        return torch.stack([spans[key] for key in keys]).float()

    def normalisation(self) -> Tensors:
        """Return mean and deviation of each run's observations, by name."""
        return {"mean": self.mean, "deviation": self.deviation}

    def restore(self, normalisation: Tensors) -> None:
        """Normalise by other data, those that networks learnt from before; earlier checkpoints do not tell them.

        Raises:
            ValueError: They are of other runs or observations.
        """
        for name, values in normalisation.items():
            if values.shape != self.mean.shape:
                raise ValueError(
                    f"The {name} of observations must be of the shape {tuple(self.mean.shape)}; got "
                    f"{tuple(values.shape)}. Start as many runs, in the same task."
                )
            setattr(self, name, values.to(self.mean.device))

    def normalised(self, observations: torch.Tensor) -> torch.Tensor:
        """Return observations ``(R, B, observation_size)`` as networks take them."""
        return (observations - self.mean) / self.deviation

    def _statistics(self, spans: Sequence[Sequence[slice]], *, normalise: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and deviation of what lies within each run's spans of all data."""
        observations = self.arrays["observations"]
        shape = (len(spans), 1, self.observation_size)
        if not normalise:
            return torch.zeros(shape, device=observations.device), torch.ones(shape, device=observations.device)
        known: dict[tuple[int, ...], tuple[torch.Tensor, torch.Tensor]] = {}  # runs that differ in seed share data
        for own in spans:
            key = tuple(span.start for span in own)
            if key not in known:
                joined = torch.cat([observations[span] for span in own]).double()
                known[key] = joined.mean(dim=0), joined.std(dim=0, correction=0) + 1e-3
        figures = [known[tuple(span.start for span in own)] for own in spans]
        mean, deviation = (torch.stack(values)[:, None].float() for values in zip(*figures, strict=True))
        return mean, deviation


def _filled(sets: dict[str, Dataset], starts: Mapping[str, int], device: torch.device) -> dict[str, torch.Tensor]:
    """Return all datasets' columns end to end; ``sets`` is emptied, so that no dataset is kept beside them."""
    arrays: dict[str, torch.Tensor] = {}
    total = sum(dataset.total_steps for dataset in sets.values())
    for name in list(sets):
        columns = _columns(sets.pop(name))
        for field, values in columns.items():
            if field not in arrays:
                arrays[field] = torch.empty((total, *values.shape[1:]), device=device)
            arrays[field][starts[name] : starts[name] + len(values)] = values.to(device)
    return arrays


def _columns(dataset: Dataset) -> dict[str, torch.Tensor]:
    """Return a dataset's columns in float32, with actions in ``[-1, 1]``."""
    flat = dataset.transitions()
    found = {
        "observations": flat.observations,
        "actions": unscale_actions(flat.actions, space_of(dataset, "action_space")),
        "rewards": flat.rewards,
        "next_observations": flat.next_observations,
        "terminated": flat.terminated,
        "truncated": flat.truncated,
    }
    return {field: torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)) for field, values in found.items()}
