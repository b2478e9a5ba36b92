"""Log-densities of actions under the agents of Stable-Baselines3."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import SAC, TD3
from stable_baselines3.common.distributions import SquashedDiagGaussianDistribution
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm

from transreward_baselines.lanes import Array
from transreward_envs.errors import require_positive

DEVIATION = 0.1
"""Of the Gaussian that stands for a deterministic policy, in units of actions from -1 to 1 [-]: TD3's usual noise."""


class FollowedPolicy:
    """The policy of an agent as it is whenever it is asked: SAC's own density, or a Gaussian around TD3's actions.

    It holds on to the agent, so that it is never kept: copies and pickles of it follow nobody.

    Args:
        agent: SAC, TD3 or DDPG; ``None`` follows nobody.
        deviation: Of the Gaussian around the actions of TD3 and DDPG, in units of actions from -1 to 1 [-].

    Raises:
        TypeError: The agent is another, or explores by state-dependent noise.
        ValueError: ``deviation`` is not positive.
    """

    def __init__(self, agent: OffPolicyAlgorithm | None, *, deviation: float) -> None:
        require_positive("deviation", deviation)
        if agent is not None and not isinstance(agent, (SAC, TD3)):
            raise TypeError(f"Policies of SAC, TD3 and DDPG are understood; got {type(agent).__name__}.")
        if agent is not None and agent.use_sde:
            raise TypeError(
                "A policy that explores by state-dependent noise has no density of single actions; make the agent with "
                "`use_sde=False`."
            )
        self._agent, self.deviation = agent, deviation

    def of_policy(self, observations: NDArray[Any], actions: NDArray[Any]) -> Array:
        """Return log-densities under the policy as it is now, as ``(B,)``.

        Args:
            observations: The environment's own, as ``(B, observation_size)``.
            actions: In ``[-1, 1]``, as ``(B, action_size)``.

        Raises:
            RuntimeError: Nobody is followed.
        """
        agent = self._followed()
        if (normal := agent.get_vec_normalize_env()) is not None:
            observations = np.asarray(normal.normalize_obs(observations))
        with torch.no_grad():
            seen, taken = (torch.as_tensor(values, device=agent.device).float() for values in (observations, actions))
            if isinstance(agent, SAC):
                mean, log_std, _ = agent.actor.get_action_dist_params(seen)
                law = agent.actor.action_dist
                assert isinstance(law, SquashedDiagGaussianDistribution)
                log_densities = law.proba_distribution(mean, log_std).log_prob(taken)
            else:
                deviations = (taken - agent.actor(seen)) / self.deviation
                each = -0.5 * deviations**2 - np.log(self.deviation * np.sqrt(2.0 * np.pi))
                log_densities = each.sum(dim=1)
        result: Array = log_densities.double().cpu().numpy()
        return result

    def of_behaviour(self, observations: NDArray[Any], actions: NDArray[Any], *, lanes: int) -> Array:
        """Return log-densities of actions just taken, as ``(B,)``: uniform ones' before ``learning_starts``.

        Args:
            observations: The environment's own, as ``(lanes, observation_size)``.
            actions: In ``[-1, 1]``, as ``(lanes, action_size)``.
            lanes: Number of environments.
        """
        agent = self._followed()
        if agent.num_timesteps - lanes < agent.learning_starts:
            return np.full(len(actions), -actions.shape[1] * np.log(2.0))
        return self.of_policy(observations, actions)

    def __reduce__(self) -> Any:
        """Leave the agent behind."""
        return _following_nobody, (self.deviation,)

    def _followed(self) -> OffPolicyAlgorithm:
        if self._agent is None:
            raise RuntimeError(
                "Episodes are weighed by a policy's log-densities, and no agent is followed. Call "
                "`agent.replay_buffer.follow(agent)` before it learns, and again after loading."
            )
        return self._agent


def _following_nobody(deviation: float) -> FollowedPolicy:
    return FollowedPolicy(None, deviation=deviation)
