"""DARC that is small enough to learn at once."""

from transreward_wrappers.darc import DARC

SMALL = {"batch_size": 64, "hidden": 16, "update_every": 64, "updates": 4, "warmup": 0, "fit_budget": 8}


def small(**settings: object) -> DARC:
    """Return DARC of three observations and two actions."""
    darc = DARC(**{**SMALL, **settings})
    darc.bind(3, 2)
    return darc
