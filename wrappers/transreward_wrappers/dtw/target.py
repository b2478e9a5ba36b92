"""The world model of a target: what it is fitted to before training, and with the agent's own episodes later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.vector import SyncVectorEnv

from transreward_envs.pairs import Pair
from transreward_wrappers.compensation import Env
from transreward_wrappers.datasets import Episode
from transreward_wrappers.dtw.references import sizes_of
from transreward_wrappers.dtw.settings import DTWSettings
from transreward_wrappers.policies import GaussianPolicy, UniformPolicy, for_sizes
from transreward_wrappers.storage import Tensors, with_prefix, without_prefix
from transreward_wrappers.world_models import (
    MODELS,
    EpisodeStore,
    collect,
    domain_of,
    load_world_model,
    make_prior,
    make_world_model,
)
from transreward_wrappers.world_models.files import key_of, require_identity

RANDOM, POLICY, OWN = "random", "policy", "own"
"""Kinds of target episodes, by who acted."""

Kinds = dict[str, list[Episode]]

PRIOR_SHARE = 0.75
"""Of the gradient steps of a recurrent model, for its prior."""

LATER = 4
"""A later round takes so many times fewer gradient steps than the first."""


class TargetModel:
    """A world model and its initial-state prior.

    Args:
        settings: Which, and how it is fitted.
        pair: Whose target it is of.
        observation_size: Of the target.
        action_size: Of the target.

    Raises:
        FileNotFoundError: There is no such file.
        CorruptFileError: The file is none of a world model.
        StaleModelError: It is of another domain.
    """

    def __init__(self, settings: DTWSettings, pair: Pair, observation_size: int, action_size: int) -> None:
        self._updates, self._given = settings.model_updates, settings.world_model not in MODELS
        self._prior_updates, self._begun = int(PRIOR_SHARE * settings.model_updates), False
        if self._given:
            self.model = load_world_model(Path(settings.world_model), domain=domain_of(pair))
        else:
            self.model = make_world_model(
                settings.world_model,
                observation_size,
                action_size,
                domain=domain_of(pair),
                updates=settings.model_updates,
                seed=settings.seed,
            )
        if self.model.kind == "ensemble":
            self.prior = make_prior("identity", self.model)
        else:
            self.prior = make_prior("lstm", self.model, updates=self._prior_updates, seed=settings.seed)

    @property
    def fitted(self) -> bool:
        """Whether it has learnt anything."""
        return self.model.report is not None

    def fit(self, first: Mapping[str, Sequence[Episode]], own: Sequence[Episode]) -> None:
        """Learn from the first episodes and the agent's own; a model that was handed in stays as it is."""
        store = EpisodeStore(self.model.observation_size, self.model.action_size)
        for kind, episodes in {**first, OWN: own}.items():
            store.add(episodes, kind=kind)
        if not self._given:
            later = self.fitted
            self.model.fit(store, updates=self._updates // LATER if later else None, afresh=not later)
        self.prior.fit(store, updates=self._prior_updates // LATER if self._begun else None)
        self._begun = True

    def digest(self) -> str | None:
        """Return what tells a model that was handed in from all others."""
        return self.model.digest() if self._given else None

    def figures(self) -> dict[str, float]:
        """Return the model's error at its furthest step, as a share of predicting no change, on each kind of data."""
        report = self.model.report
        if report is None:
            return {}
        ratios = {kind: report.ratios(kind) for kind in report.errors}
        return {f"model_error_{kind}": found[max(found)] for kind, found in ratios.items()}

    def tensors(self) -> Tensors:
        """Return all that was learnt."""
        return {
            **with_prefix("network", self.model.network.state_dict()),
            **with_prefix("prior", self.prior.tensors()),
        }

    def about(self) -> dict[str, Any]:
        """Return what else there is to keep, as JSON types."""
        identity = self.model.identity()
        return {**self.model.about(), "identity": identity, "key": key_of(identity)}

    def restore(self, path: Path, tensors: Tensors, about: Mapping[str, Any]) -> None:
        """Put back what :meth:`tensors` and :meth:`about` returned.

        Raises:
            StaleModelError: They are of another domain, or of other settings.
        """
        require_identity(path, about, self.model.identity())
        self.model.restore(without_prefix("network", tensors), about)
        self.prior.restore(without_prefix("prior", tensors))
        self._begun = True


def first_episodes(settings: DTWSettings, pair: Pair, target: Env, policy: GaussianPolicy | None) -> Kinds:
    """Return the target episodes from before training, by who acted: random actions, and a policy of the source.

    Args:
        settings: How many steps, and by whom.
        pair: The pair.
        target: Its target, with a time limit.
        policy: Of the source; all actions are random without one.
    """
    envs, sizes = SyncVectorEnv([lambda: target]), sizes_of(target)
    random = settings.fit_budget if policy is None else int(settings.fit_budget * settings.random_share)
    found: Kinds = {}
    if random:
        found[RANDOM] = collect(envs, UniformPolicy(action_size=sizes[1]), random, seed=settings.seed)
    if policy is not None and random < settings.fit_budget:
        acting = for_sizes(policy, pair, *sizes)
        found[POLICY] = collect(envs, acting, settings.fit_budget - random, seed=settings.seed + 1)
    return {kind: [unpaid(episode) for episode in episodes] for kind, episodes in found.items()}


def unpaid(episode: Episode) -> Episode:
    """Return an episode without the target's rewards, which nothing here may read."""
    return replace(episode, rewards=np.zeros(len(episode)))
