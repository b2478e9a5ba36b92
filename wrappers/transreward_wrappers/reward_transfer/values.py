"""The source's optimal values from source data alone: implicit Q-learning (Kostrikov et al., 2021, arXiv:2110.06169).

    V(s)    regresses on min_i Q_i(s, a) by the expectile loss |tau - 1(u < 0)| u^2,  u = min_i Q_i(s, a) - V(s)
    Q_i(s, a)  regresses on r + gamma (1 - terminated) V(s')

Actions that the data do not have are never asked for. As tau goes to 1, V goes to the value of the best actions in the
data; the paper's 0.7 is a compromise with noise.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from transreward_wrappers.compensation import Float, Transitions
from transreward_wrappers.networks import EnsembleMLP, Frozen, one_thread, seeded
from transreward_wrappers.normalization import RunningNormalizer, side_by_side
from transreward_wrappers.regression import FitSettings
from transreward_wrappers.storage import Tensors, with_prefix, without_prefix

SLOWNESS = 0.05
"""How far the slow copy of Q, which V learns from, goes towards Q [per update]."""


class Values:
    """Q and V of the source, each as an ensemble: a member is two networks of Q and one of V.

    V learns from the lower of both, as in the paper; what is told of Q is their mean, which is not biased downwards.
    Networks predict values in units of a scale around the value of the data's mean reward for ever.

    Args:
        observation_size: Length of an observation.
        action_size: Length of an action.
        gamma: Discount.
        expectile: tau [-].
        settings: Of the fit.
    """

    def __init__(
        self, observation_size: int, action_size: int, *, gamma: float, expectile: float, settings: FitSettings
    ) -> None:
        self._gamma, self._expectile, self._settings = gamma, expectile, settings
        self._sizes = observation_size, action_size
        self._begin()

    def fit(self, data: Transitions) -> None:
        """Learn from transitions, each member from its own batches."""
        self._begin()
        rows = self._rows(data)
        settings, members = self._settings, self._settings.members
        generator = torch.Generator().manual_seed(settings.seed)
        optimizer, schedule = settings.optimizer([*self._action_net.parameters(), *self._state_net.parameters()])
        with one_thread():
            for _ in tqdm(range(settings.updates), desc="fitting the source's values", leave=False, disable=None):
                index = torch.randint(len(data), (members, settings.batch_size), generator=generator)
                loss = self._loss(*(column[index] for column in rows))
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                self._follow()
        self._freeze()

    def action_values(self, observation: Float, action: Float) -> Float:
        """Return Q of each member, as ``(K, B)``."""
        both = self._frozen_actions(self._pairs(side_by_side(observation, action)))
        return self._in_rewards(both.reshape(self._settings.members, 2, -1).mean(axis=1))

    def state_values(self, observation: Float) -> Float:
        """Return V of each member, as ``(K, B)``."""
        return self._in_rewards(self._frozen_states(self._states(observation.astype(np.float32))))

    def tensors(self) -> Tensors:
        """Return weights and statistics."""
        return {
            **with_prefix("action_net", self._action_net.state_dict()),
            **with_prefix("state_net", self._state_net.state_dict()),
            **with_prefix("pairs", self._pairs.tensors()),
            **with_prefix("states", self._states.tensors()),
            "values": torch.tensor([self._offset, self._scale], dtype=torch.float64),
        }

    def load_tensors(self, tensors: Tensors) -> None:
        """Put back what :meth:`tensors` returned."""
        self._action_net.load_state_dict(without_prefix("action_net", tensors))
        self._state_net.load_state_dict(without_prefix("state_net", tensors))
        self._pairs.load_tensors(without_prefix("pairs", tensors))
        self._states.load_tensors(without_prefix("states", tensors))
        self._offset, self._scale = (float(value) for value in tensors["values"])
        self._freeze()

    def _begin(self) -> None:
        """Draw initial weights."""
        (observation_size, action_size), members = self._sizes, self._settings.members
        hidden = [self._settings.hidden, self._settings.hidden, 1]
        with seeded(self._settings.seed):
            self._action_net = EnsembleMLP(2 * members, [observation_size + action_size, *hidden])
            self._state_net = EnsembleMLP(members, [observation_size, *hidden])
        self._slow_net = copy.deepcopy(self._action_net)
        self._pairs = RunningNormalizer(observation_size + action_size)
        self._states = RunningNormalizer(observation_size)
        self._offset, self._scale = 0.0, 1.0
        self._freeze()

    def _rows(self, data: Transitions) -> list[torch.Tensor]:
        """Return states, pairs, next states, rewards in the networks' units, and what of the future counts."""
        pairs = side_by_side(data.observation, data.action)
        states, following = (part.astype(np.float32) for part in (data.observation, data.next_observation))
        self._pairs.observe(pairs)
        self._states.observe(states)
        discount = self._gamma * ~data.terminated
        self._offset = float(data.reward.mean() / (1.0 - discount.mean()))
        surplus = data.reward - self._offset * (1.0 - discount)
        self._scale = float(surplus.std() / np.sqrt(1.0 - self._gamma)) + 1e-8
        columns = (self._states(states), self._pairs(pairs), self._states(following), surplus / self._scale, discount)
        return [torch.from_numpy(column.astype(np.float32)) for column in columns]

    def _loss(
        self,
        state: torch.Tensor,
        pair: torch.Tensor,
        following: torch.Tensor,
        reward: torch.Tensor,
        discount: torch.Tensor,
    ) -> torch.Tensor:
        """Return the losses of V and Q together, of rows as ``(K, B, ...)``."""
        shape, twins = (len(pair), 2, -1), pair.repeat_interleave(2, dim=0)
        with torch.no_grad():
            best = self._slow_net(twins)[..., 0].view(shape).amin(dim=1)
            goal = reward + discount * self._state_net(following)[..., 0]
        error = best - self._state_net(state)[..., 0]
        of_states = ((error < 0.0).float().sub(self._expectile).abs() * error.square()).mean()
        of_pairs = (self._action_net(twins)[..., 0].view(shape) - goal[:, None]).square().mean()
        total: torch.Tensor = of_states + of_pairs
        return total

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the slow copy of Q towards Q."""
        torch._foreach_lerp_(list(self._slow_net.parameters()), list(self._action_net.parameters()), SLOWNESS)

    def _in_rewards(self, outputs: NDArray[np.float32]) -> Float:
        values: Float = outputs.astype(np.float64) * self._scale + self._offset
        return values

    def _freeze(self) -> None:
        self._frozen_actions, self._frozen_states = Frozen(self._action_net), Frozen(self._state_net)
