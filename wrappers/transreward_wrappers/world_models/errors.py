"""What world models warn of, and what they refuse."""

from transreward_wrappers.errors import CorruptFileError


class PoorModelWarning(UserWarning):
    """A world model's open-loop error is too large to plan with."""


class HorizonWarning(UserWarning):
    """A world model is asked for more steps than it was validated for."""


class StaleModelError(CorruptFileError):
    """A file holds a world model of another domain, of other sizes or settings, or fitted to other data."""
