"""References that a world model of the source imagines, with a reward head, from what its expert did there.

The full form of aligned rewards has two world models. That of the source needs a model of its rewards too, and a policy
to imagine with; its references are short, because errors add up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from transreward_wrappers.alignment import Reference
from transreward_wrappers.datasets import Episode
from transreward_wrappers.normalization import side_by_side
from transreward_wrappers.policies import GaussianPolicy
from transreward_wrappers.regression import FitSettings, Regression
from transreward_wrappers.world_models import EpisodeStore, make_world_model

STEPS = 200
"""Of an imagined reference."""


def imagine_references(
    episodes: Sequence[Episode], policy: GaussianPolicy, *, count: int, updates: int, seed: int
) -> list[Reference]:
    """Return what a world model, fitted to episodes, imagines of a policy from where they began, the best first.

    Args:
        episodes: Of the source, with actions in ``[-1, 1]``.
        policy: What acts in the model, by its means.
        count: References.
        updates: Gradient steps of both fits.
        seed: Of both.
    """
    sizes = episodes[0].observations.shape[1], episodes[0].actions.shape[1]
    store = EpisodeStore(*sizes)
    store.add(episodes, kind="source")
    model = make_world_model("ensemble", *sizes, updates=updates, seed=seed)
    model.fit(store)
    head = _reward_head(episodes, updates=updates, seed=seed)
    begun = np.stack([episodes[index % len(episodes)].observations[0] for index in range(count)])
    seen, paid, states = [], [], torch.from_numpy(begun).float()
    for _ in range(STEPS):
        actions = policy(states.double().numpy())
        following, _ = model.rollout(states, torch.from_numpy(actions[:, None]).float())
        states = following[:, 0]
        seen.append(states.double().numpy())
        paid.append(head(side_by_side(actions, seen[-1]))[0])
    observations, rewards = np.stack(seen, axis=1), np.stack(paid, axis=1)
    order = np.argsort(-rewards.sum(axis=1), kind="stable")
    return [Reference(observations=observations[index], rewards=rewards[index]) for index in order]


def _reward_head(episodes: Sequence[Episode], *, updates: int, seed: int) -> Regression:
    """Return what predicts the source's reward from an action and the observation that it led to."""
    actions = np.concatenate([episode.actions for episode in episodes])
    following = np.concatenate([episode.observations[1:] for episode in episodes])
    settings = FitSettings(members=3, hidden=64, updates=updates, batch_size=256, learning_rate=1e-3, seed=seed)
    head = Regression(actions.shape[1] + following.shape[1], settings=settings, name="the source's rewards")
    head.fit(side_by_side(actions, following), np.concatenate([episode.rewards for episode in episodes]))
    return head
