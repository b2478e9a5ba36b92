"""``transreward settings``: what a method can be told, in the words of its class."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docstring_parser
from rich.markup import escape
from rich.table import Table

from transreward_baselines.console import console
from transreward_baselines.needs import import_modules
from transreward_envs import METHODS
from transreward_envs.errors import unknown
from transreward_envs.training.schedule import DomainSchedule
from transreward_wrappers.bound import load_compensation
from transreward_wrappers.entry_points import OF_TURNS, SCHEDULE_SETTINGS


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """A keyword of a training id, of the class behind it, and of ``--set``."""

    name: str
    default: str
    """In words."""

    about: str
    """What its class says of it."""


def settings_of(method: str) -> list[Setting]:
    """Return what a method can be told: its compensation's settings, and those of the turns of the two domains.

    Raises:
        ValueError: There is no such method.
    """
    if method not in METHODS:
        raise ValueError(unknown("method", method, METHODS))
    path = METHODS[method].compensation
    own = [] if path is None else list(_of_class(load_compensation(path)))
    by_turns = METHODS[method].acts_in == "both"
    schedule = tuple(name for name in SCHEDULE_SETTINGS if by_turns or name not in OF_TURNS)
    return [*own, *_of_schedule(schedule)]


def show_settings(method: str, imports: tuple[str, ...] = ()) -> None:
    """Print the settings of a method; see ``transreward settings``."""
    import_modules(imports)
    note = "target_budget: by --target-budget, in `transreward train` and `refine`."
    title = f"{method}: --set NAME=VALUE, or gym.make(id, NAME=VALUE)"
    table = Table(title=title, caption=note, caption_justify="left", box=None, padding=(0, 1))
    for column in ("name", "default", "what it is"):
        table.add_column(column, overflow="fold", no_wrap=column == "name")
    for setting in settings_of(method):
        table.add_row(*map(escape, (setting.name, setting.default, setting.about)))
    console().print(table)


def plain(text: str) -> str:
    """Return a docstring's words in one line, without the marks of references."""
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text)
    return " ".join(text.replace("``", "`").split())


def _of_class(cls: type[Any]) -> Iterator[Setting]:
    told: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if dataclasses.is_dataclass(base):
            parsed = docstring_parser.parse_from_object(base)
            told |= {one.arg_name: plain(one.description or "") for one in parsed.params}
    for field in dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ():
        if field.init:
            default = field.default_factory() if callable(field.default_factory) else field.default
            shown = "" if default is dataclasses.MISSING else str(default)
            yield Setting(name=field.name, default=shown, about=told.get(field.name, ""))


def _of_schedule(names: tuple[str, ...]) -> Iterator[Setting]:
    parameters = inspect.signature(DomainSchedule).parameters
    told = {one.arg_name: one.description or "" for one in docstring_parser.parse(DomainSchedule.__doc__ or "").params}
    for name in names:
        yield Setting(name=name, default=str(parameters[name].default), about=plain(told[name]))
