"""The outcome of a verification."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One statement about a pair, measured."""

    what: str
    """The statement, such as ``friction-2.0: friction of every contact with the floor``."""

    expected: str
    measured: str
    passed: bool

    @classmethod
    def close(
        cls, what: str, expected: ArrayLike, measured: ArrayLike, *, tolerance: float = 1e-6, absolute: float = 1e-9
    ) -> Check:
        """Return a check of numbers: equal to within ``tolerance`` of their size, or to within ``absolute``."""
        wanted, got = np.asarray(expected, dtype=np.float64), np.asarray(measured, dtype=np.float64)
        passed = wanted.shape == got.shape and bool(np.allclose(got, wanted, rtol=tolerance, atol=absolute))
        return cls(what=what, expected=_short(wanted), measured=_short(got), passed=passed)

    @classmethod
    def holds(cls, what: str, passed: bool, measured: object) -> Check:
        """Return a check of a statement that holds or does not."""
        return cls(what=what, expected="yes", measured=str(measured), passed=bool(passed))

    def of(self, what: str) -> Check:
        """Return the check with what it is about put before its statement."""
        return replace(self, what=f"{what}: {self.what}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """All checks of a pair."""

    pair: str
    checks: tuple[Check, ...]

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if not check.passed)

    @property
    def passed(self) -> bool:
        """Whether every check passed, and there was one."""
        return bool(self.checks) and not self.failures

    def require(self) -> Verification:
        """Return itself, or raise.

        Raises:
            ValueError: A check failed.
        """
        if not self.passed:
            lines = [f"{one.what}: expected {one.expected}, measured {one.measured}" for one in self.failures]
            raise ValueError(f"A pair must be what it says; {self.pair!r} is not. " + "; ".join(lines) + ".")
        return self


def _short(values: ArrayLike) -> str:
    """Return numbers in few characters: equal ones once, many by their range."""
    numbers = np.atleast_1d(np.asarray(values, dtype=np.float64)).ravel()
    if not numbers.size:
        return "none"
    if np.allclose(numbers, numbers[0]):
        return f"{numbers[0]:.6g}"
    if numbers.size <= 6:
        return ", ".join(f"{number:.6g}" for number in numbers)
    return f"{numbers.min():.6g} to {numbers.max():.6g}"
