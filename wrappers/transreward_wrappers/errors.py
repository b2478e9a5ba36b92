"""Errors of compensations."""


class CompensationError(RuntimeError):
    """A compensation returned something that is no reward."""


class CorruptFileError(RuntimeError):
    """A file is truncated, altered, or of another kind than was asked for."""
