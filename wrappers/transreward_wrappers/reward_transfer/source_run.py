"""A short run in the source: a policy that learns from returns alone, so that the data know more than random actions.

The policy is linear and learns by augmented random search (Mania et al., 2018, arXiv:1803.07055), which takes seconds
where gradient methods take minutes.
"""

from __future__ import annotations

import numpy as np
from gymnasium.spaces import Box

from transreward_wrappers.reward_transfer.recorder import Array, Recorder

DIRECTIONS = 8
BEST_DIRECTIONS = 4
LEAST_RANDOM = 500
"""Random steps, at least, that the policy's inputs are normalised by."""

NOISE = 0.05
STEP_SIZE = 0.03


def search(recorder: Recorder, generator: np.random.Generator, *, horizon: int) -> None:
    """Improve a linear policy until the recorder is full; it has some transitions already.

    Args:
        recorder: Whose states so far normalise the policy's inputs.
        generator: Of directions.
        horizon: Steps after which a rollout is cut off.
    """
    observations, space = recorder.observations(), recorder.env.action_space
    assert isinstance(space, Box)
    mean, spread = observations.mean(axis=0), observations.std(axis=0) + 1e-2
    weights = np.zeros((*space.shape, observations.shape[1]))

    def evaluate(tried: Array) -> float:
        def policy(observation: Array) -> Array:
            action: Array = np.clip(tried @ ((observation - mean) / spread), space.low, space.high)
            return action

        return recorder.rollout(policy, horizon=horizon)

    while not recorder.full:
        directions = generator.standard_normal((DIRECTIONS, *weights.shape))
        signed = np.stack([directions, -directions], axis=1)
        returns = np.array([[evaluate(weights + NOISE * one) for one in pair] for pair in signed])
        best = np.argsort(returns.max(axis=1))[-BEST_DIRECTIONS:]
        scale = returns[best].std() + 1e-6
        gain = ((returns[best, 0] - returns[best, 1])[:, None, None] * directions[best]).mean(axis=0)
        weights = weights + STEP_SIZE / scale * gain
