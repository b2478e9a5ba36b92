"""Where references come from: the source's policy at work, a policy in a file, a recorded trajectory, or a dataset."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import SyncVectorEnv
from numpy.typing import NDArray

from transreward_envs.pairs import Pair
from transreward_wrappers.alignment import Reference, on_one_floor
from transreward_wrappers.compensation import Env, Transitions
from transreward_wrappers.datasets import Dataset, Episode, load_dataset
from transreward_wrappers.datasets.domain import require_domain
from transreward_wrappers.dtw.imagined_references import imagine_references
from transreward_wrappers.policies import GaussianPolicy, for_sizes
from transreward_wrappers.reward_transfer.source_data import POLICY_SUFFIX, SourceData
from transreward_wrappers.reward_transfer.source_policies import source_expert
from transreward_wrappers.storage import write_bytes
from transreward_wrappers.world_models import collect

DAMAGES = (BadZipFile, EOFError, SyntaxError, TokenError, zlib.error)
"""What NumPy raises where a file of arrays is damaged."""

EXPERT, IMAGINED, SEARCH = "expert", "imagined", "search"
RECORDING = ".npz"

HORIZON = 300
"""Steps after which a search cuts its rollouts off."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceData:
    """References: where from, and how many."""

    kind: str
    """``expert``, ``imagined``, ``search``, a policy's file, a trajectory's, or a dataset's id or folder."""

    count: int
    """References that are kept, the best by return."""

    budget: int
    """Source steps that a policy takes."""

    updates: int
    """Gradient steps of a world model of the source, for ``imagined``."""

    seed: int
    """Of its run."""

    def steps(self) -> int:
        """Return the source steps that references take."""
        if self._acts or self.kind == SEARCH:
            return self.budget
        return len(load_reference(Path(self.kind))) if self._recorded else self._dataset().total_steps

    def key(self, pair: Pair) -> dict[str, Any]:
        """Return what references depend on besides the source itself, as JSON types."""
        run = {"budget": self.budget, "count": self.count, "seed": self.seed}
        if self.kind == SEARCH:
            return run
        if self._acts:
            fitted = {"updates": self.updates} if self.kind == IMAGINED else {}
            return {**run, **fitted, "policy": self._policy(pair).key()}
        if self._recorded:
            reference = load_reference(Path(self.kind))
            return {"observations": reference.observations.tolist(), "rewards": reference.rewards.tolist()}
        return {"dataset": self._dataset().digest(), "count": self.count}

    def gather(self, source: Env, pair: Pair) -> list[Reference]:
        """Return references, the best first.

        Args:
            source: The source domain, with a time limit.
            pair: Whose source it is.

        Raises:
            ValueError: They are of another robot or domain, shorter than two steps, not finite, or there are none.
        """
        if self._recorded:
            references = [load_reference(Path(self.kind))]
        elif self.kind == IMAGINED:
            policy = for_sizes(self._policy(pair), pair, *sizes_of(source))
            episodes = collect(SyncVectorEnv([lambda: source]), policy, self.budget, seed=self.seed)
            shared = {"count": self.count, "updates": self.updates, "seed": self.seed}
            references = imagine_references(episodes, policy, **shared)
        else:
            references = [Reference.from_episode(episode) for episode in self._best(self._episodes(source, pair))]
        (size,) = source.observation_space.shape or (0,)
        for reference in references:
            if reference.size != size:
                raise ValueError(
                    f"References must have the source's observations, of {size} numbers for {pair.name!r}; those of "
                    f"{self.kind} have {reference.size}. Give others as `references`."
                )
        return on_one_floor(references)

    def policy(self, pair: Pair) -> GaussianPolicy | None:
        """Return the policy that makes the references, if one does."""
        return self._policy(pair) if self._acts else None

    def _episodes(self, source: Env, pair: Pair) -> list[Episode]:
        """Return the source's episodes."""
        if self.kind == SEARCH:
            return found_episodes(source, pair, budget=self.budget, seed=self.seed)
        if not self._acts:
            dataset = self._dataset()
            require_domain(dataset, source, pair, "source", setting="references")
            return list(dataset.episodes())
        policy = for_sizes(self._policy(pair), pair, *sizes_of(source))
        return collect(SyncVectorEnv([lambda: source]), Deterministic(policy), self.budget, seed=self.seed)

    def _best(self, episodes: Sequence[Episode]) -> list[Episode]:
        """Return the episodes of the highest return; of one step there can be no reference."""
        long = [episode for episode in episodes if len(episode) > 1]
        if not long:
            raise ValueError(
                f"References are episodes of two steps at least; {self.kind} gave {len(episodes)}, none as long. Give "
                "other `references`, or more `reference_steps`."
            )
        return sorted(long, key=lambda episode: -episode.total_return)[: self.count]

    @property
    def _acts(self) -> bool:
        return self.kind in (EXPERT, IMAGINED) or self.kind.endswith(POLICY_SUFFIX)

    @property
    def _recorded(self) -> bool:
        return self.kind.endswith(RECORDING)

    def _policy(self, pair: Pair) -> GaussianPolicy:
        if self.kind.endswith(POLICY_SUFFIX):
            return GaussianPolicy.load(Path(self.kind))
        try:
            return source_expert(pair)
        except ValueError as error:
            raise ValueError(f"{error} Or let a search find references: references={SEARCH!r}.") from error

    def _dataset(self) -> Dataset:
        try:
            return load_dataset(self.kind)
        except FileNotFoundError as error:
            raise ValueError(
                f"`references` must be {EXPERT!r}, {IMAGINED!r}, {SEARCH!r}, the path of a policy's file "
                f"(*{POLICY_SUFFIX}) or of a trajectory's (*{RECORDING}), or the id or folder of a dataset; got "
                f"{self.kind!r}. {error}"
            ) from error


@dataclass(frozen=True, slots=True)
class Deterministic:
    """A policy that does what it is most likely to do."""

    policy: GaussianPolicy

    def sample(
        self, observations: NDArray[Any], generator: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return the policy's means, and no log-densities to speak of."""
        return self.policy(observations), np.zeros(len(observations))


def found_episodes(source: Env, pair: Pair, *, budget: int, seed: int) -> list[Episode]:
    """Return what a search for a linear policy went through, where nobody has trained one.

    Args:
        source: The source domain, with a time limit.
        pair: Whose source it is.
        budget: Source steps.
        seed: Of the search.
    """
    data = SourceData(kind="rollout", budget=budget, random_share=0.25, horizon=HORIZON, seed=seed)
    transitions = data.gather(source, pair)
    starts = np.flatnonzero((transitions.observation[1:] != transitions.next_observation[:-1]).any(axis=1)) + 1
    pieces = np.split(np.arange(len(transitions)), starts)
    return [_episode(transitions.select(piece)) for piece in pieces]


def _episode(steps: Transitions) -> Episode:
    """Return transitions of one episode, in order, as one."""
    return Episode(
        observations=np.concatenate([steps.observation, steps.next_observation[-1:]]),
        actions=steps.action,
        rewards=steps.reward,
        terminated=bool(steps.terminated[-1]),
    )


def save_reference(path: Path | str, reference: Reference) -> None:
    """Write a trajectory to a file, as ``references`` takes it: ``observations`` (T, D) and ``rewards`` (T,)."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, observations=reference.observations, rewards=reference.rewards)
    write_bytes(Path(path), buffer.getvalue())


def load_reference(path: Path | str) -> Reference:
    """Return the trajectory in a file.

    Raises:
        ValueError: There is no such file, it is none of a trajectory, or a value in it is not finite.
    """
    try:
        with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as file:
            observations, rewards = (np.asarray(file[name], dtype=np.float64) for name in ("observations", "rewards"))
        return Reference(observations=observations, rewards=rewards)
    except (*DAMAGES, OSError, KeyError, ValueError, TypeError) as error:
        raise ValueError(
            f"A recorded trajectory is an .npz file of `observations` (T, D) and `rewards` (T,), each paid on arrival; "
            f"{path} is none ({error}). Write it with transreward_wrappers.dtw.save_reference."
        ) from error


def sizes_of(domain: Env) -> list[int]:
    """Return the lengths of a domain's observations and actions."""
    assert isinstance(domain.observation_space, Box)
    assert isinstance(domain.action_space, Box)
    return [int(np.prod(space.shape)) for space in (domain.observation_space, domain.action_space)]
