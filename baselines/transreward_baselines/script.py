"""Command lines of scripts that say in a line what cannot be done."""

from __future__ import annotations

import dataclasses
import inspect
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import tyro
from gymnasium.error import DependencyNotInstalled

T = TypeVar("T")

TOLD = (ValueError, TypeError, RuntimeError, OSError, MemoryError, DependencyNotInstalled)
"""Errors whose message is all that a user needs."""


def run_script(
    main: Callable[[T], Any],
    args: type[T],
    words: Sequence[str] | None = None,
    *,
    read: Callable[..., T] = tyro.cli,
) -> None:
    """Run a script as its command line says; what cannot be done ends the program with a message.

    Args:
        main: Of the script.
        args: What it can be told.
        words: The command line; that of the process when left out.
        read: From the kind of arguments and ``args``, the command line, to what it means.
    """
    with errors_told():
        main(read(args, args=words))


def plain_warning(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> str:
    """Return what a warning says, without its place in the code, which tells a user nothing."""
    return f"{category.__name__}: {message}\n"


@contextmanager
def warnings_told() -> Iterator[None]:
    """Have warnings written in a line each, by :func:`plain_warning`."""
    usual = warnings.formatwarning
    warnings.formatwarning = plain_warning
    try:
        yield
    finally:
        warnings.formatwarning = usual


@contextmanager
def errors_told() -> Iterator[None]:
    """End the program with a line, where something cannot be done, or where it is stopped."""
    try:
        with warnings_told():
            yield
    except TOLD as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("Stopped; run the same command again to go on.", file=sys.stderr)
        sys.exit(130)


def checked_later(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return a command whose settings, if they are one record, are checked once all of them are read.

    What breaks a rule then ends in the record's own words; read by tyro, it would be laid to a name within that.
    """
    parameters = list(inspect.signature(command, eval_str=True).parameters.values())
    if [dataclasses.is_dataclass(one.annotation) for one in parameters] != [True]:
        return command
    record = parameters[0].annotation
    body = {"__post_init__": lambda self: None, "__doc__": record.__doc__, "__module__": record.__module__}
    unchecked: type[Any] = dataclasses.dataclass(frozen=True, kw_only=True)(type(record.__name__, (record,), body))

    def checked(args: Any) -> Any:
        return command(record(**{one.name: getattr(args, one.name) for one in dataclasses.fields(record)}))

    checked.__name__, checked.__doc__ = command.__name__, command.__doc__
    checked.__annotations__ = {parameters[0].name: unchecked}
    checked.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # read by tyro
        [parameters[0].replace(annotation=unchecked)]
    )
    return checked
