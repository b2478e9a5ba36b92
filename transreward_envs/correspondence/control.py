"""The control that a correspondence must beat: the same with its joints permuted at random."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
from numpy.typing import ArrayLike, NDArray

from transreward_envs.correspondence.correspondence import Correspondence
from transreward_envs.correspondence.domain_map import Array, DomainMap
from transreward_envs.correspondence.foretelling import Foretelling
from transreward_envs.correspondence.layout import Layout, layout_of
from transreward_envs.errors import require_count

LEVEL = 0.1
"""Share of permutations that may do as well. A robot with two legs alike has some that are as right: of the 120 ways to
name Walker2d's joints after Hopper's, the eight that name a thigh a thigh, a leg a leg and a foot a foot."""

HORIZON = 100
"""Steps after which an episode of random actions is cut off."""

NOTHING = 1e-9


class Steps(Protocol):
    """Steps of a domain, such as ``transreward_wrappers.Transitions``."""

    @property
    def observation(self) -> ArrayLike:
        """As ``(B, observation_size)``."""

    @property
    def action(self) -> ArrayLike:
        """As ``(B, action_size)``."""

    @property
    def next_observation(self) -> ArrayLike:
        """As ``(B, observation_size)``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SomeSteps:
    """Steps of a domain."""

    observation: Array
    action: Array
    next_observation: Array


@dataclass(frozen=True, kw_only=True, slots=True)
class PermutationControl:
    """How well a model of the source foretells the target's steps, by a correspondence and by others at random."""

    agreement: float
    """Of the correspondence: the correlation of foretold and true changes, averaged over what is mapped [-]."""

    controls: tuple[float, ...]
    """The same of each correspondence at random."""

    @property
    def rank(self) -> int:
        """Place of the correspondence among all, 1 for the best."""
        return 1 + sum(one >= self.agreement for one in self.controls)

    @property
    def p_value(self) -> float:
        """Chance of such a rank if the correspondence were one of those at random [-]."""
        return self.rank / (1 + len(self.controls))

    @property
    def beaten(self) -> bool:
        """Whether at most a tenth of the correspondences at random do as well."""
        return self.p_value <= LEVEL

    def __str__(self) -> str:
        middle = float(np.median(self.controls))
        return (
            f"correlation {self.agreement:.3f} against {middle:.3f} by permuted joints (median), rank {self.rank} of "
            f"{1 + len(self.controls)}, p = {self.p_value:.3f}"
        )


def beats_permutation(
    correspondence: Correspondence,
    source: gym.Env[Any, Any],
    target: gym.Env[Any, Any],
    *,
    source_steps: Steps | None = None,
    target_steps: Steps | None = None,
    steps: int = 4_000,
    controls: int = 199,
    seed: int = 0,
) -> PermutationControl:
    """Return whether the target's steps look more like the source's by a correspondence than by random ones.

    A model of the source's one-step dynamics is asked what the target's steps, mapped to the source, lead to. A right
    correspondence makes its answers correlate with what they led to; how far each number moves does not count, because
    robots differ in mass and strength. The others give the same number of driven hinges counterparts at random, each a
    driven hinge, and are all different; where there are fewer than ``controls``, all of them are tried.

    Args:
        correspondence: The correspondence.
        source: The source domain; it is stepped where no steps of it are given.
        target: The target domain; likewise.
        source_steps: Steps of the source to learn from; those of random actions when left out.
        target_steps: Steps of the target to foretell; likewise.
        steps: Random steps to make in each domain.
        controls: Correspondences at random.
        seed: Of everything drawn.

    Raises:
        ValueError: The correspondence does not fit the robots or leaves nothing to permute, or steps are of other sizes
            or not finite.
    """
    require_count("controls", controls, at_least=1)
    require_count("steps", steps, at_least=2)
    ours, theirs = layout_of(target), layout_of(source)
    right = correspondence.between(theirs, ours)
    generator = np.random.default_rng(seed)
    learnt = source_steps or random_steps(source, steps, generator)
    asked = target_steps or random_steps(target, steps, generator)
    _check("source_steps", learnt, right.source_sizes)
    _check("target_steps", asked, right.target_sizes)
    model = Foretelling.fit(learnt.observation, learnt.action, learnt.next_observation, generator)
    others = permuted(correspondence, theirs, ours, controls, generator)
    return PermutationControl(
        agreement=_agreement(model, right, asked),
        controls=tuple(_agreement(model, other.between(theirs, ours), asked) for other in others),
    )


def permuted(
    correspondence: Correspondence, source: Layout, target: Layout, count: int, generator: np.random.Generator
) -> Iterator[Correspondence]:
    """Yield different correspondences in which driven hinges have other counterparts, as many as there are or asked.

    Raises:
        ValueError: There are none.
    """
    ours, theirs = target.driven_hinges, source.driven_hinges
    driven = {joint: other for joint, other in correspondence.joints.items() if joint in ours and other in theirs}
    size = len(driven)
    ways = math.comb(len(ours), size) * math.perm(len(theirs), size)
    if ways < 2:
        raise ValueError(
            "A control permutes driven hinges that correspond; this correspondence has "
            f"{', '.join(driven) or 'none'} of {target.robot} and {source.robot}, which leaves one way to name them."
        )
    seen = {frozenset(driven.items())}
    while len(seen) < min(count + 1, ways):
        joints = generator.choice(ours, size, replace=False)
        others = generator.choice(theirs, size, replace=False)
        pairs = {str(joint): str(other) for joint, other in zip(joints, others, strict=True)}
        if (key := frozenset(pairs.items())) not in seen:
            seen.add(key)
            yield _with_driven(correspondence, driven, pairs)


def random_steps(env: gym.Env[Any, Any], steps: int, generator: np.random.Generator) -> SomeSteps:
    """Return steps of uniformly random actions in a domain, in episodes of a hundred steps at most."""
    space: Any = env.action_space
    rows: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
    observation, _ = env.reset(seed=int(generator.integers(2**31)))
    begun = 0
    while len(rows) < steps:
        action = generator.uniform(space.low, space.high).astype(space.dtype)
        following, _, terminated, truncated, _ = env.step(action)
        rows.append((observation, action, following))
        observation = following
        if terminated or truncated or len(rows) - begun >= HORIZON:
            (observation, _), begun = env.reset(), len(rows)
    columns = [np.array(column, dtype=np.float64) for column in zip(*rows, strict=True)]
    return SomeSteps(observation=columns[0], action=columns[1], next_observation=columns[2])


def _check(name: str, steps: Steps, sizes: tuple[int, int]) -> None:
    """Raise ``ValueError`` unless steps are finite and of a domain's sizes."""
    columns = [np.asarray(column) for column in (steps.observation, steps.action, steps.next_observation)]
    wanted = [(len(columns[0]), size) for size in (*sizes, sizes[0])]
    if (shapes := [column.shape for column in columns]) != wanted:
        raise ValueError(f"`{name}` must have the shapes {wanted}, a row a step; got {shapes}.")
    if not all(np.isfinite(column).all() for column in columns):
        raise ValueError(f"`{name}` must be finite; some of it is not. Leave such steps out.")


def _with_driven(correspondence: Correspondence, old: dict[str, str], new: dict[str, str]) -> Correspondence:
    """Return a correspondence with other driven hinges; what is said of joints that it no longer has is left out."""
    joints = {name: other for name, other in correspondence.joints.items() if name not in old}
    joints = {name: other for name, other in joints.items() if name not in new and other not in new.values()} | new
    scales = {name: scale for name, scale in correspondence.scales.items() if name in joints}
    fills = {name: fill for name, fill in correspondence.fills.items() if name not in joints.values()}
    return replace(correspondence, joints=joints, scales=scales, fills=fills)


def _agreement(model: Foretelling, mapping: DomainMap, steps: Steps) -> float:
    """Return the correlation of foretold and true changes of what is mapped, averaged."""
    before, after = (mapping.observation(values) for values in (steps.observation, steps.next_observation))
    mapped = mapping.observation.mapped
    changes = (after - before)[:, mapped]
    foretold = model(before, mapping.action(steps.action))[:, mapped]
    changes, foretold = changes - changes.mean(axis=0), foretold - foretold.mean(axis=0)
    spreads = np.linalg.norm(changes, axis=0) * np.linalg.norm(foretold, axis=0)
    moving = spreads > NOTHING
    if not moving.any():
        raise ValueError("Steps must change something that is mapped; nothing of these does. Give others.")
    return float(((changes * foretold).sum(axis=0)[moving] / spreads[moving]).mean())
