"""V and Q of the policy that acts, in the target, as two networks that learn from transitions of both domains.

    V(s)  and  Q(s, a)  regress on  Y = Q(s, a) + rho (r + gamma nd V(s') - Q(s, a))

with slow copies of both networks on the right; ``rho`` is 1 for the target's own transitions. For Q that is temporal
differences weighted by ``rho``.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from transreward_wrappers.compensation import Float, Transitions
from transreward_wrappers.drae.ratios import DynamicsRatio
from transreward_wrappers.networks import EnsembleMLP, Frozen, seeded
from transreward_wrappers.normalization import RunningNormalizer, side_by_side
from transreward_wrappers.storage import (
    Tensors,
    load_optimizer_tensors,
    optimizer_tensors,
    with_prefix,
    without_prefix,
)

Rows = NDArray[np.float32]
SLOWNESS = 0.01
"""How far the slow copies go towards the networks [per gradient step]."""

LEAST_DEVIATION = 1e-6
"""Of rewards that say anything; sparse ones are all 0 for long [reward]."""


class ValueFunctions(Protocol):
    """V and Q, of which several members may each have their own."""

    def state_values(self, observation: Float) -> Float:
        """Return V of each member, as ``(K, B)``."""

    def action_values(self, observation: Float, action: Float) -> Float:
        """Return Q of each member, as ``(K, B)``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ValueRows:
    """Transitions to learn V and Q from, in float32."""

    observation: Rows
    """As ``(B, observation_size)``."""

    action: Rows
    """As ``(B, action_size)``."""

    change: Rows
    """``s' - s``, as ``(B, observation_size)``."""

    reward: Rows
    """As ``(B,)``."""

    goes_on: Rows
    """0 where the task ended, else 1, as ``(B,)``."""

    domain: Rows
    """0 for the source, 1 for the target, as ``(B,)``."""

    weight: Rows
    """Of the action, for V: how much likelier it is under the policy to be judged, as ``(B,)``."""

    @classmethod
    def of(cls, batch: Transitions, weight: Float) -> ValueRows:
        """Return transitions, each with the weight of its action, as V and Q learn from them."""
        return cls(
            observation=batch.observation.astype(np.float32),
            action=batch.action.astype(np.float32),
            change=(batch.next_observation - batch.observation).astype(np.float32),
            reward=batch.reward.astype(np.float32),
            goes_on=(~batch.terminated).astype(np.float32),
            domain=batch.domain.astype(np.float32),
            weight=weight.astype(np.float32),
        )

    @classmethod
    def width(cls, observation_size: int, action_size: int) -> int:
        """Return how many numbers a transition has."""
        return 2 * observation_size + action_size + 4

    @classmethod
    def unpack(cls, rows: Rows, observation_size: int) -> ValueRows:
        """Return what :meth:`pack` put side by side."""
        features, rest = rows[:, :-4], rows[:, -4:]
        n = observation_size
        return cls(
            observation=features[:, :n],
            action=features[:, n:-n],
            change=features[:, -n:],
            reward=rest[:, 0],
            goes_on=rest[:, 1],
            domain=rest[:, 2],
            weight=rest[:, 3],
        )

    @classmethod
    def joined(cls, parts: Sequence[ValueRows]) -> ValueRows:
        """Return several as one."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})

    def pack(self) -> Rows:
        """Return all side by side, as ``(B, width)``."""
        rest = np.stack([self.reward, self.goes_on, self.domain, self.weight], axis=1)
        return side_by_side(self.observation, self.action, self.change, rest)

    @property
    def features(self) -> Rows:
        """``s``, ``a`` and ``s' - s`` side by side."""
        return side_by_side(self.observation, self.action, self.change)


class ValueNetworks:
    """V and Q; what is told of them is that of the slow copies.

    They predict values in units of a scale around the value of a mean reward for ever. Both are chosen by the first
    transitions that have different rewards, and kept; before, values are in rewards.

    Args:
        observation_size: Length of an observation.
        action_size: Length of an action.
        gamma: Discount.
        hidden: Units in each of the two hidden layers.
        learning_rate: Adam's.
        seed: Of initial weights.
    """

    def __init__(
        self, *, observation_size: int, action_size: int, gamma: float, hidden: int, learning_rate: float, seed: int
    ) -> None:
        self.sizes, self.hidden, self._gamma = (observation_size, action_size), hidden, gamma
        layers = [hidden, hidden, 1]
        with seeded(seed):
            q, v = (EnsembleMLP(1, [size, *layers]) for size in (observation_size + action_size, observation_size))
        self._nets = torch.nn.ModuleDict({"q": q, "v": v})
        self._slow = copy.deepcopy(self._nets)
        self._optimizer = torch.optim.Adam(self._nets.parameters(), lr=learning_rate, fused=True)
        self._pairs = RunningNormalizer(observation_size + action_size)
        self._states = RunningNormalizer(observation_size)
        self._units: tuple[float, float] | None = None
        self.freeze()

    def state_values(self, observation: Float) -> Float:
        """Return V, as ``(1, B)``."""
        return self._in_rewards(self._frozen_v(self._states(observation.astype(np.float32))))

    def action_values(self, observation: Float, action: Float) -> Float:
        """Return Q, as ``(1, B)``."""
        return self._in_rewards(self._frozen_q(self._pairs(side_by_side(observation, action))))

    def observe(self, rows: ValueRows) -> None:
        """Take transitions into the statistics of what is normalised."""
        self._pairs.observe(side_by_side(rows.observation, rows.action))
        self._states.observe(rows.observation)

    def choose_units(self, rows: ValueRows) -> None:
        """Choose offset and scale by some transitions, unless they are chosen, or all rewards are alike as yet."""
        if self._units is None and rows.reward.std() > LEAST_DEVIATION:
            discount = self._gamma * rows.goes_on.astype(np.float64)
            offset = float(rows.reward.mean() / max(1.0 - discount.mean(), 1e-3))
            surplus = rows.reward - offset * (1.0 - discount)
            self._units = offset, float(surplus.std() / max(1.0 - self._gamma, 1e-3) ** 0.5) + LEAST_DEVIATION

    def descend(self, rows: ValueRows, ratio: DynamicsRatio) -> float:
        """Take a gradient step on a batch, and return the mean squared error, in the networks' units."""
        pairs = _tensor(self._pairs(side_by_side(rows.observation, rows.action)))
        states = _tensor(self._states(rows.observation))
        with torch.no_grad():
            y = self._goal(rows, ratio, _outputs(self._slow["q"], pairs))
        of_actions = (_outputs(self._nets["q"], pairs) - y).square().mean()
        of_states = (_tensor(rows.weight) * (_outputs(self._nets["v"], states) - y).square()).mean()
        self._optimizer.zero_grad(set_to_none=True)
        (of_actions + of_states).backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(list(self._slow.parameters()), list(self._nets.parameters()), SLOWNESS)
        return float((of_actions + of_states).detach()) / 2

    def freeze(self) -> None:
        """Tell values as the networks have them now."""
        self._frozen_q, self._frozen_v = (Frozen(self._slow[name]) for name in ("q", "v"))  # type: ignore[arg-type]

    def tensors(self) -> Tensors:
        """Return weights, optimiser and statistics."""
        units = [] if self._units is None else list(self._units)
        return {
            **with_prefix("nets", self._nets.state_dict()),
            **with_prefix("slow", self._slow.state_dict()),
            **with_prefix("optimizer", optimizer_tensors(self._optimizer)),
            **with_prefix("pairs", self._pairs.tensors()),
            **with_prefix("states", self._states.tensors()),
            "units": torch.tensor(units, dtype=torch.float64),
        }

    def load_tensors(self, tensors: Tensors) -> None:
        """Put back what :meth:`tensors` returned."""
        self._nets.load_state_dict(without_prefix("nets", tensors))
        self._slow.load_state_dict(without_prefix("slow", tensors))
        load_optimizer_tensors(self._optimizer, without_prefix("optimizer", tensors))
        self._pairs.load_tensors(without_prefix("pairs", tensors))
        self._states.load_tensors(without_prefix("states", tensors))
        units = tensors["units"].tolist()
        self._units = (units[0], units[1]) if units else None
        self.freeze()

    def _goal(self, rows: ValueRows, ratio: DynamicsRatio, q: torch.Tensor) -> torch.Tensor:
        """Return Y in the networks' units, as ``(B,)``."""
        offset, scale = self._units or (0.0, 1.0)
        following = _outputs(self._slow["v"], _tensor(self._states(rows.observation + rows.change)))
        bootstrap = rows.goes_on * self._in_rewards(following.numpy())
        rho = ratio.given(bootstrap, next_value=bootstrap, reward=rows.reward, gamma=self._gamma)
        discount = self._gamma * rows.goes_on
        surplus = (rows.reward - offset * (1.0 - discount)) / scale
        return q + _tensor(rho) * (_tensor(surplus) + _tensor(discount) * following - q)

    def _in_rewards(self, outputs: NDArray[np.float32]) -> Float:
        offset, scale = self._units or (0.0, 1.0)
        values: Float = outputs.astype(np.float64) * scale + offset
        return values


def require_fitting(functions: ValueFunctions, observation_size: int, action_size: int) -> None:
    """Raise ``ValueError`` unless V and Q take observations and actions of these sizes, and give ``(K, B)``."""
    observations, actions = np.zeros((2, observation_size)), np.zeros((2, action_size))
    found = []
    try:
        for values in (functions.state_values(observations), functions.action_values(observations, actions)):
            found.append(np.shape(values))
    except (ValueError, RuntimeError, IndexError, TypeError) as error:
        raise ValueError(
            f"V and Q must take observations of {observation_size} and actions of {action_size} numbers; those of "
            f"{type(functions).__name__} do not: {error}"
        ) from error
    if not all(len(shape) == 2 and shape[1] == 2 for shape in found):
        raise ValueError(
            f"V and Q must give a value for each member and transition, (K, B); of 2 transitions, those of "
            f"{type(functions).__name__} gave the shapes {found[0]} and {found[1]}."
        )


def _outputs(network: torch.nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """Map ``(B, inputs)`` to ``(B,)``."""
    outputs: torch.Tensor = network(inputs[None])
    return outputs[0, :, 0]


def _tensor(values: NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
