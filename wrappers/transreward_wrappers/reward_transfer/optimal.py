"""Estimator ``optimal``: the reward under which what is optimal in the source is optimal in the target.

    r' = r + lam (r_S* - r),    r_S* = Q_S(s, a) - gamma (1 - terminated) V_S(s')

With ``lam = 1`` the target's Bellman equation is solved by Q_S, whatever the target's dynamics are. The difference of
two values is small against either, so that their errors count in full.
"""

from __future__ import annotations

from transreward_wrappers.compensation import Transitions
from transreward_wrappers.reward_transfer.estimate import Estimate, ValueEstimator


class Optimal(ValueEstimator):
    """Tells ``r_S* - r``, as the mean over the members."""

    def __call__(self, batch: Transitions) -> Estimate:
        """Return ``r_S* - r`` and the spread of ``r_S*``."""
        following = self._gamma * ~batch.terminated * self._values.state_values(batch.next_observation)
        members = self._values.action_values(batch.observation, batch.action) - following
        return Estimate(amount=members.mean(axis=0) - batch.reward, spread=members.std(axis=0))
