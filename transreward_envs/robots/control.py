"""From the agent's action to the actuators: delay, then noise, held for some control steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from transreward_envs.shifts import ActionDelay, ActionNoise, ActionRepeat, Shift


class ControlPath:
    """What a domain's control shifts do to an action.

    Args:
        shifts: The domain's shifts; those of other families are ignored.
        action_size: Length of an action.
        memory: How many past actions are remembered for the observation.
        remember: How many at least, for a longer delay that may take this path's place.

    Raises:
        ValueError: A noise shift names a dimension that the action does not have, or two shifts of one kind act on the
            same actions.
    """

    def __init__(self, shifts: Sequence[Shift], *, action_size: int, memory: int, remember: int = 0) -> None:
        repeats = [shift for shift in shifts if isinstance(shift, ActionRepeat) and not shift.neutral]
        delays = [shift for shift in shifts if isinstance(shift, ActionDelay) and not shift.neutral]
        noises = [shift for shift in shifts if isinstance(shift, ActionNoise) and not shift.neutral]
        widths = [noise.width_per_dimension(action_size) for noise in noises]
        overlap = np.any(np.sum([width > 0 for width in widths], axis=0) > 1)
        for same, doubled in ((repeats, len(repeats) > 1), (delays, len(delays) > 1), (noises, overlap)):
            if doubled:
                raise ValueError(
                    f"Two shifts must not write the same field; {' and '.join(repr(one.label) for one in same)} act on "
                    "the same actions. Join them into one."
                )
        self.repeat = repeats[0].times if repeats else 1
        self.delay = delays[0].steps if delays else 0
        self._zero = np.zeros(action_size)
        self.widths = sum(widths, self._zero)
        self._noisy = bool(self.widths.any())
        self.memory = memory
        kept = max(self.delay, memory, remember)
        self._past: deque[NDArray[np.float64]] = deque([self._zero] * kept, maxlen=kept)
        self._noise: np.random.Generator | None = None

    @property
    def passive(self) -> bool:
        """Whether every action reaches the actuators untouched, once, and none is remembered."""
        return self.repeat == 1 and self.delay == 0 and not self._noisy and self.memory == 0

    def reset(self, noise: np.random.Generator) -> None:
        """Forget the actions under way; noise is drawn from ``noise`` from now on."""
        self._past.extend([self._zero] * (self._past.maxlen or 0))
        self._noise = noise

    def take_over(self, past: ControlPath) -> None:
        """Go on from the actions under way on another path."""
        for action in reversed(past._past):
            self._past.appendleft(action)
        self._noise = past._noise

    def control(self, action: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return what reaches the actuators now, as ``(action_size,)``, and remember the action."""
        chosen = np.array(action, dtype=np.float64)
        if chosen.shape != self._zero.shape:
            raise ValueError(f"Action dimension mismatch. Expected {self._zero.shape}, found {chosen.shape}")
        control = self._past[self.delay - 1] if self.delay else chosen
        self._past.appendleft(chosen)
        if self._noisy:
            assert self._noise is not None
            control = control + self._noise.uniform(-self.widths, self.widths)
        return control

    def past_actions(self) -> NDArray[np.float64]:
        """Return the remembered actions, the newest first, as ``(memory * action_size,)``."""
        return np.concatenate([self._past[age] for age in range(self.memory)])
