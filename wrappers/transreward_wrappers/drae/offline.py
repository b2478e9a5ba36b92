"""DRaE offline: source data with the rewards under which its transitions teach the target's values.

Classifiers learn to tell two datasets apart, V and Q learn from both, and whole episodes of the source get ``r'`` of
the action-value form, with estimates over all that followed in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from minari.serialization import deserialize_space
from numpy.typing import NDArray

from transreward_envs.errors import require_count
from transreward_envs.pairs import Pair
from transreward_wrappers.compensation import Float, Transitions
from transreward_wrappers.darc.offline import UPDATES, joined, prepare, require_learned
from transreward_wrappers.datasets.dataset import Dataset, DatasetError
from transreward_wrappers.datasets.relabel import relabel
from transreward_wrappers.datasets.writer import held, require_vacant
from transreward_wrappers.drae.cloning import UPDATES as CLONE_UPDATES
from transreward_wrappers.drae.cloning import clone_policy
from transreward_wrappers.drae.drae import DRaE
from transreward_wrappers.drae.ratios import require_clip, weight
from transreward_wrappers.policies.gaussian import GaussianPolicy
from transreward_wrappers.policies.observed import for_sizes
from transreward_wrappers.policies.scaling import unscale_actions


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyRatio:
    """Whose values are to be learned, and how it is known how likely the data's policies were to act as they did."""

    policy: GaussianPolicy | None = None
    """Whose; that of the data's own policies when ``None``, which needs no probabilities."""

    clone: bool = False
    """Whether the behaviour of a dataset without log-densities is cloned from its actions."""

    clip: float = 1.0
    """The largest weight of an action [-]."""

    clone_updates: int = CLONE_UPDATES
    """Gradient steps for each policy that is cloned."""

    def __post_init__(self) -> None:
        require_clip(self.clip)
        require_count("clone_updates", self.clone_updates, at_least=1)

    def logs(self, dataset: Dataset) -> Float | None:
        """Return ``log pi - log mu`` of a dataset's actions [nats], as ``(N,)``; ``None`` for its own policies.

        Raises:
            DatasetError: The dataset has no log-densities, and they are not to be cloned.
            ValueError: The policy is of another robot.
        """
        if self.policy is None:
            return None
        flat, space = dataset.transitions(), deserialize_space(dataset.metadata["action_space"])
        assert isinstance(space, Box)
        actions = unscale_actions(flat.actions, space)
        pair = Pair.from_json(dataset.about["pair"]) if "pair" in dataset.about else None
        policy = for_sizes(self.policy, pair, flat.observations.shape[1], actions.shape[1])
        stretch = float(np.log((space.high - space.low) / 2.0).sum())  # those kept are of actions in their own units
        return policy.log_densities(flat.observations, actions) - stretch - self._behaviour(dataset, actions, stretch)

    def weights(self, dataset: Dataset) -> Float:
        """Return the weights of a dataset's actions, as ``(N,)``."""
        logs = self.logs(dataset)
        if logs is None:
            return np.ones(dataset.total_steps)
        clipped: Float = weight(logs, clip=self.clip)
        return clipped

    def _behaviour(self, dataset: Dataset, actions: NDArray[np.float64], stretch: float) -> Float:
        """Return log-densities of actions, in their own units, under the policies that took them."""
        flat = dataset.transitions()
        missing = int(np.isnan(flat.log_densities).sum())
        if missing == 0:
            return flat.log_densities
        if not self.clone:
            raise DatasetError(
                f"Weights of actions need the log-density of each under the policy that took it; {dataset.directory} "
                f"lacks those of {missing:,} of {len(flat):,} transitions. Have its behaviour cloned: `clone=True`, or "
                "`--clone`. Or relabel for the data's own policies, without a `policy`."
            )
        found = np.zeros(len(flat))
        for index in np.unique(flat.policy):
            of = flat.policy == index
            cloned = clone_policy(flat.observations[of], actions[of], updates=self.clone_updates)
            found[of] = cloned.log_densities(flat.observations[of], actions[of]) - stretch
        return found


def relabel_source(
    source: Dataset,
    target: Dataset,
    directory: Path,
    *,
    name: str,
    updates: int = UPDATES,
    ratio: PolicyRatio | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Dataset:
    """Write a source dataset anew with DRaE's rewards.

    Args:
        source: The source's data; it stays as it is.
        target: The target's.
        directory: Folder of the new dataset.
        name: Id of the new dataset.
        updates: Gradient steps of the classifiers, and of V and Q.
        ratio: Whose values are to be learned; those of the data's own policies when left out.
        settings: Keywords of :class:`~transreward_wrappers.drae.DRaE`.

    Raises:
        ValueError: A setting is unknown or breaks its rule, the datasets hide actions under way, or a policy is of
            another robot.
        DatasetError: The datasets are of different spaces, too small for a batch, or lack log-densities.
        FileExistsError: The folder is taken.
    """
    ratio = ratio or PolicyRatio()
    with held(directory):
        require_vacant(directory)
        return _relabel(source, target, directory, name, updates=updates, ratio=ratio, settings=settings or {})


def _relabel(
    source: Dataset,
    target: Dataset,
    directory: Path,
    name: str,
    *,
    updates: int,
    ratio: PolicyRatio,
    settings: Mapping[str, Any],
) -> Dataset:
    drae = fit(source, target, updates=updates, ratio=ratio, settings=settings)
    flat = source.transitions()
    added = drae.trajectory_added(
        flat.as_transitions(0), flat.terminated | flat.truncated, log_policy_ratio=ratio.logs(source), clip=ratio.clip
    )
    about = {
        "method": "drae",
        "settings": drae.settings(),
        "updates": updates,
        "target": target.metadata.get("dataset_id", str(target.directory)),
        "policy": None if ratio.policy is None else ratio.policy.digest(),
        "policy_clip": ratio.clip,
        **drae.learner.accuracies(max(source.total_steps, target.total_steps)),
    }
    return relabel(source, _InOrder(added), directory, domain=0, about=about, name=name)


def fit(source: Dataset, target: Dataset, *, updates: int, ratio: PolicyRatio, settings: Mapping[str, Any]) -> DRaE:
    """Return DRaE with classifiers, V and Q that have learned from two datasets; see :func:`relabel_source`."""
    whole = {"recent": source.total_steps + target.total_steps, "value_updates": 1, **settings}
    drae, batches = prepare(DRaE, source, target, updates=updates, settings=whole)
    drae.update_weighted(joined(batches), np.concatenate([ratio.weights(dataset) for dataset in (source, target)]))
    require_learned(drae, batches)
    return drae


def clone_behaviour(dataset: Dataset, *, updates: int = CLONE_UPDATES) -> GaussianPolicy:
    """Return one policy that acts as a dataset's did."""
    flat, space = dataset.transitions(), deserialize_space(dataset.metadata["action_space"])
    assert isinstance(space, Box)
    return clone_policy(flat.observations, unscale_actions(flat.actions, space), updates=updates)


class _InOrder:
    """Hands out numbers to batches of transitions in the order in which a dataset has them."""

    def __init__(self, values: Float) -> None:
        self._values, self._start = values, 0

    def __call__(self, batch: Transitions) -> Float:
        start, self._start = self._start, self._start + len(batch)
        return self._values[start : self._start]
