"""Evaluates many runs' policies in the target at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box
from numpy.typing import NDArray

from transreward_baselines.evaluation import EVALUATION_SEED, episode_returns
from transreward_baselines.lanes import make_lanes
from transreward_baselines.offline.agent import OfflineAgent
from transreward_baselines.offline.args import OfflineArgs
from transreward_baselines.offline.data import OfflineData
from transreward_envs import get_pair, normalized_score
from transreward_wrappers.policies import scale_actions


@dataclass(frozen=True, kw_only=True, slots=True)
class OfflineEvaluation:
    """An evaluation of one run."""

    update: int
    """Gradient steps of it so far."""

    data: str
    seed: int
    return_mean: float
    return_std: float
    episodes: int

    score: float
    """Normalised by the target's references; NaN where these are not measured."""

    seconds: float
    """Of training so far, of all runs together [s]."""

    online_steps: int = 0
    """Steps of it in the target so far; 0 of a policy that has learnt offline alone."""


@torch.no_grad()
def evaluate(agent: OfflineAgent, data: OfflineData, args: OfflineArgs) -> NDArray[np.float64]:
    """Return the returns of all runs' policies in the plain target, one an episode, as ``(R, episodes)``."""
    runs, episodes = len(args.runs), args.eval_episodes
    envs = make_lanes(get_pair(args.pair).spec("target"), runs * episodes)
    space = envs.single_action_space
    assert isinstance(space, Box)

    def policy(observations: Any) -> NDArray[Any]:
        """Return what each run does in its own lanes, in actions of the space."""
        seen = torch.from_numpy(np.asarray(observations, dtype=np.float32)).to(data.mean.device)
        actions = agent.act(data.normalised(seen.view(runs, episodes, -1))).flatten(0, 1)
        return scale_actions(actions.float().cpu().numpy(), space)

    seeds = list(range(EVALUATION_SEED, EVALUATION_SEED + episodes)) * runs
    return episode_returns(policy, envs, seeds).reshape(runs, episodes)


def score_of(pair: str, value: float) -> float:
    """Return the score of a return in a pair's target; NaN where its references are not measured."""
    try:
        return float(normalized_score(pair, value))
    except ValueError:
        return math.nan
