"""Error messages that state the rule, the value received and the fix."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from numbers import Integral, Real


class BudgetSpentError(RuntimeError):
    """A step was asked of a target domain whose step budget is spent."""


def unknown(what: str, given: object, valid: Iterable[str]) -> str:
    """Return the message for an unknown name, with the nearest valid names."""
    names = sorted(valid)
    close = difflib.get_close_matches(str(given), names, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(repr(name) for name in close)}?" if close else ""
    listing = f"Valid names: {', '.join(names[:20])}{', ...' if len(names) > 20 else ''}." if names else ""
    return f"Unknown {what} {given!r}. {hint or listing}".strip()


def require_finite(name: str, value: object) -> None:
    """Raise unless ``value`` is a finite number.

    Raises:
        TypeError: It is not a number.
        ValueError: It is not finite.
    """
    if not math.isfinite(_number(name, value)):
        raise ValueError(f"`{name}` must be finite; got {value!r}.")


def require_positive(name: str, value: object) -> None:
    """Raise unless ``value`` is a finite number above zero.

    Raises:
        TypeError: It is not a number.
        ValueError: It is not finite or not above zero.
    """
    if not 0.0 < _number(name, value) < math.inf:
        raise ValueError(f"`{name}` must be finite and > 0; got {value!r}.")


def require_non_negative(name: str, value: object) -> None:
    """Raise unless ``value`` is a finite number, zero or above.

    Raises:
        TypeError: It is not a number.
        ValueError: It is not finite or below zero.
    """
    if not 0.0 <= _number(name, value) < math.inf:
        raise ValueError(f"`{name}` must be finite and >= 0; got {value!r}.")


def require_share(name: str, value: object) -> None:
    """Raise unless ``value`` is a number from zero to one.

    Raises:
        TypeError: It is not a number.
        ValueError: It lies outside.
    """
    require_non_negative(name, value)
    if value > 1.0:  # type: ignore[operator]  # a number by now
        raise ValueError(f"`{name}` must lie in [0, 1]; got {value!r}.")


def require_below_one(name: str, value: object) -> None:
    """Raise unless ``value`` is a number from zero to one, but not one itself.

    Raises:
        TypeError: It is not a number.
        ValueError: It lies outside.
    """
    require_non_negative(name, value)
    if value >= 1.0:  # type: ignore[operator]  # a number by now
        raise ValueError(f"`{name}` must lie in [0, 1); got {value!r}.")


def require_name(name: str, value: object, *, optional: bool = False) -> None:
    """Raise ``TypeError`` unless a value is a string, such as a path; ``None`` may be allowed too."""
    if not (isinstance(value, str) or (optional and value is None)):
        raise TypeError(f"`{name}` must be a string{' or None' if optional else ''}; got {value!r}.")


def require_count(name: str, value: object, *, at_least: int = 0) -> None:
    """Raise unless ``value`` is an integer of at least ``at_least``.

    Raises:
        TypeError: It is not an integer.
        ValueError: It is below ``at_least``.
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"`{name}` must be an integer; got {value!r}.")
    if value < at_least:
        raise ValueError(f"`{name}` must be an integer >= {at_least}; got {value!r}.")


def _number(name: str, value: object) -> float:
    """Return a number; one that is too large for any is infinite.

    Raises:
        TypeError: It is not a number.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"`{name}` must be a number; got {value!r}.")
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]  # as real numbers can
