"""From the agent's action to the actuators: delay, then noise."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from transreward_envs.shifts import ActionDelay, ActionNoise, ActionRepeat, Shift


class ControlPath:
    """What a domain's control shifts do to an action; several of a kind add up (delays, noise) or multiply (repeats).

    Args:
        shifts: The domain's shifts; those of the model are ignored.
        action_size: Length of an action.
        memory: How many past actions are remembered for the observation.

    Raises:
        ValueError: A noise shift names a dimension that the action does not have.
    """

    def __init__(self, shifts: Sequence[Shift], *, action_size: int, memory: int) -> None:
        self.repeat = int(np.prod([shift.times for shift in shifts if isinstance(shift, ActionRepeat)], dtype=int))
        self.delay = sum(shift.steps for shift in shifts if isinstance(shift, ActionDelay))
        noises = [shift for shift in shifts if isinstance(shift, ActionNoise) and not shift.neutral]
        self._widths = [noise.width_per_dimension(action_size) for noise in noises]
        self._zero = np.zeros(action_size)
        self.widths = sum(self._widths, self._zero)
        self.memory = memory
        kept = max(self.delay, memory)
        self._past: deque[NDArray[np.float64]] = deque([self._zero] * kept, maxlen=kept)
        self._noise: np.random.Generator | None = None

    @property
    def passive(self) -> bool:
        """Whether every action reaches the actuators untouched, once, and none is remembered."""
        return self.repeat == 1 and self.delay == 0 and not self._widths and self.memory == 0

    def reset(self, np_random: np.random.Generator, *, reseeded: bool) -> None:
        """Forget the actions under way; start the noise's own stream anew if the env was reseeded.

        The stream is a child of the env's generator, so that noise leaves the initial states as they are.
        """
        self._past.extend([self._zero] * (self._past.maxlen or 0))
        if self._widths and (reseeded or self._noise is None):
            (self._noise,) = np_random.spawn(1)

    def control(self, action: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return what reaches the actuators now, as ``(action_size,)``, and remember the action."""
        chosen = np.array(action, dtype=np.float64)
        if chosen.shape != self._zero.shape:
            raise ValueError(f"Action dimension mismatch. Expected {self._zero.shape}, found {chosen.shape}")
        control = self._past[self.delay - 1] if self.delay else chosen
        self._past.appendleft(chosen)
        for width in self._widths:
            assert self._noise is not None
            control = control + self._noise.uniform(-width, width)
        return control

    def past_actions(self) -> NDArray[np.float64]:
        """Return the remembered actions, the newest first, as ``(memory * action_size,)``."""
        return np.concatenate([self._past[age] for age in range(self.memory)])
