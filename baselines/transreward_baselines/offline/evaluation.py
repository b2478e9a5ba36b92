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
    """NaN of a run that has diverged."""

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
    """Return the returns of all runs' policies in the plain target, one an episode, as ``(R, episodes)``.

    They are NaN of a run whose policy gives actions that are not finite.
    """
    runs, episodes = len(args.runs), args.eval_episodes
    envs = make_lanes(get_pair(args.pair).spec("target"), runs * episodes, threads=args.torch_threads)
    space = envs.single_action_space
    assert isinstance(space, Box)
    diverged = np.zeros(runs, dtype=bool)

    def policy(observations: Any) -> NDArray[Any]:
        """Return what each run does in its own lanes, in actions of the space."""
        seen = torch.from_numpy(np.asarray(observations, dtype=np.float32)).to(data.mean.device)
        actions = agent.act(data.normalised(seen.view(runs, episodes, -1))).float().cpu()
        diverged[:] |= ~actions.isfinite().all(dim=2).all(dim=1).numpy()
        return scale_actions(actions.nan_to_num(nan=0.0).flatten(0, 1).numpy(), space)

    seeds = list(range(EVALUATION_SEED, EVALUATION_SEED + episodes)) * runs
    returns = episode_returns(policy, envs, seeds).reshape(runs, episodes)
    returns[diverged] = np.nan
    return returns


def score_of(pair: str, value: float) -> float:
    """Return the score of a return in a pair's target; NaN where its references are not measured."""
    try:
        return float(normalized_score(pair, value))
    except ValueError:
        return math.nan
