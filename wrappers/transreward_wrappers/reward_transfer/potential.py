"""Estimator ``potential``: the source's values as a potential (Ng et al., 1999).

    r' = r + gamma (1 - terminated) lam(s') V_S(s') - lam(s) V_S(s)

Over an episode this adds up to what depends on its two ends alone, so that the target's optimal policy stays what it
is: for an agent of the same gamma that bootstraps truncations. It holds for a weight that depends on the state and on
time, too (Devlin and Kudenko, 2012), because the weight at s' is that with which the next transition begins; see
:meth:`~transreward_wrappers.reward_transfer.RewardTransfer.passing` for where it is so.
"""

from __future__ import annotations

from transreward_wrappers.compensation import Transitions
from transreward_wrappers.reward_transfer.estimate import Estimate, ValueEstimator


class Potential(ValueEstimator):
    """Tells ``-V_S(s)`` and ``gamma (1 - terminated) V_S(s')``, as means over the members."""

    def __call__(self, batch: Transitions) -> Estimate:
        """Return both parts, each with its spread."""
        here, there = (self._values.state_values(states) for states in (batch.observation, batch.next_observation))
        return Estimate(
            amount=-here.mean(axis=0),
            spread=here.std(axis=0),
            next_amount=self._gamma * ~batch.terminated * there.mean(axis=0),
            next_spread=there.std(axis=0),
        )
