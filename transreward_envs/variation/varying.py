"""Shifts whose settings follow laws."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from transreward_envs.errors import unknown
from transreward_envs.shifts import SHIFT_KINDS, Shift, parse_shift
from transreward_envs.variation.laws import RANDOM_LAWS, SCHEDULES, Law, Uniform, UniformInteger

NUMERIC = {"float", "int", "float | None", "int | None"}

VaryingLike = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Varying:
    """One shift with settings that follow laws, by their names."""

    template: dict[str, Any]
    laws: dict[str, Law]
    integral: frozenset[str]

    def shift(self, values: Mapping[str, float]) -> Shift:
        """Return the shift at given values of its varying settings."""
        drawn = {name: round(value) if name in self.integral else value for name, value in values.items()}
        return parse_shift({**self.template, **drawn})


class VaryingShifts:
    """The varying shifts of a domain, from which each reset draws values.

    Args:
        shift_range: Shifts in which a setting is a range ``[low, high]``, or a law of ``RANDOM_LAWS`` such as
            ``{"law": "log_uniform", "low": 0.5, "high": 2.0}``: drawn anew at each reset.
        shift_schedule: Shifts in which a setting is a law of ``SCHEDULES``, such as
            ``{"law": "cyclic", "low": 0.5, "high": 2.0, "period": 10}``: it goes on from episode to episode, and
            starts anew when the env is seeded.

    Raises:
        TypeError: They are not of this form.
        ValueError: A law breaks a rule, no setting varies, or a shift is not legal at an end of its range.
    """

    def __init__(self, shift_range: VaryingLike = None, shift_schedule: VaryingLike = None) -> None:
        self._varying = [
            *(_parse(data, "shift_range", RANDOM_LAWS) for data in _listed("shift_range", shift_range)),
            *(_parse(data, "shift_schedule", SCHEDULES) for data in _listed("shift_schedule", shift_schedule)),
        ]
        self._laws = [law for one in self._varying for law in one.laws.values()]
        self._whole = np.array([name in one.integral for one in self._varying for name in one.laws], dtype=np.bool_)
        self.low, self.high = np.array([law.low for law in self._laws]), np.array([law.high for law in self._laws])
        self.names = _names(self._varying)
        self._values: NDArray[np.float64] = self.low.copy()
        self._streams: list[np.random.Generator] = []
        self._episode = 0
        for end in (self.low, self.high):
            self.at(end)

    def __bool__(self) -> bool:
        """Whether anything varies."""
        return bool(self._varying)

    def restart(self, rng: np.random.Generator) -> None:
        """Begin the schedules again; each setting gets a stream of its own, whatever else varies."""
        root = int(rng.integers(2**63))
        self._streams = [np.random.default_rng([root, zlib.crc32(name.encode())]) for name in self.names]
        self._episode = 0

    def draw(self) -> NDArray[np.float64]:
        """Return the next episode's values, as ``(len(names),)``."""
        drawn = [
            law.value(stream, episode=self._episode, previous=float(value))
            for law, stream, value in zip(self._laws, self._streams, self._values, strict=True)
        ]
        self._values = np.clip(drawn, self.low, self.high)
        self._episode += 1
        return np.where(self._whole, np.round(self._values), self._values)

    def at(self, values: NDArray[np.float64]) -> tuple[Shift, ...]:
        """Return the shifts at given values of all that varies."""
        left = iter(float(value) for value in values)
        return tuple(one.shift({name: next(left) for name in one.laws}) for one in self._varying)


def _parse(data: Mapping[str, Any], keyword: str, laws: Mapping[str, type[Law]]) -> _Varying:
    """Return one varying shift."""
    if not isinstance(data, Mapping):
        raise TypeError(
            f'`{keyword}` is a list of shifts such as {{"kind": "mass", "scale": [0.5, 2.0]}}; got {data!r}.'
        )
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in SHIFT_KINDS:
        raise ValueError(unknown("shift kind", kind, SHIFT_KINDS))
    types = {field.name: field.type for field in dataclasses.fields(SHIFT_KINDS[kind])}  # type: ignore[arg-type]
    for name in data:
        if name not in {"kind", *types}:
            raise ValueError(unknown(f"setting of a {kind} shift", name, types))
    varying = {
        name: _law(value, keyword, laws, whole=str(types[name]).startswith("int"))
        for name, value in data.items()
        if types.get(name) in NUMERIC and (isinstance(value, Mapping) or _is_list(value))
    }
    if not varying:
        raise ValueError(
            f"A shift of `{keyword}` must vary in a number; {dict(data)!r} does not. Give a fixed one as `shift`."
        )
    fixed = {name: value for name, value in data.items() if name not in varying}
    integral = frozenset(name for name in varying if str(types[name]).startswith("int"))
    for name in integral:
        for bound in (varying[name].low, varying[name].high):
            if not float(bound).is_integer():
                raise ValueError(f"`{name}` of a {kind} shift is a whole number, and so are its bounds; got {bound!r}.")
    return _Varying(template=fixed, laws=varying, integral=integral)


def _law(value: Any, keyword: str, laws: Mapping[str, type[Law]], *, whole: bool) -> Law:
    """Return the law that a setting follows."""
    if _is_list(value):
        if len(value) != 2 or "uniform" not in laws:
            example = "[0.5, 2.0]" if "uniform" in laws else '{"law": "cyclic", "low": 0.5, "high": 2.0, "period": 10}'
            raise ValueError(f"A setting of `{keyword}` is given as {example}; got {value!r}.")
        return (UniformInteger if whole else Uniform)(low=value[0], high=value[1])
    settings = dict(value)
    name = settings.pop("law", None)
    if not isinstance(name, str) or name not in laws:
        raise ValueError(unknown(f"law of `{keyword}`", name, laws))
    fields = {field.name: field for field in dataclasses.fields(laws[name])}  # type: ignore[arg-type]
    for setting in settings:
        if setting not in fields:
            raise ValueError(unknown(f"setting of the law {name}", setting, fields))
    missing = [one for one, field in fields.items() if field.default is dataclasses.MISSING and one not in settings]
    if missing:
        raise TypeError(f"The law {name} needs {', '.join(f'`{one}`' for one in missing)}; got {dict(value)!r}.")
    return (UniformInteger if whole and laws[name] is Uniform else laws[name])(**settings)


def _listed(keyword: str, data: VaryingLike) -> list[Mapping[str, Any]]:
    """Return one varying shift, or several, as a list."""
    if data is None:
        return []
    if isinstance(data, Mapping):
        return [data]
    if not _is_list(data):
        raise TypeError(
            f'`{keyword}` is a list of shifts such as {{"kind": "mass", "scale": [0.5, 2.0]}}; got {data!r}.'
        )
    return list(data)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _names(varying: Sequence[_Varying]) -> tuple[str, ...]:
    """Return names such as ``mass.scale`` or ``mass.foot.scale``, each its own."""
    names: list[str] = []
    for one in varying:
        parts = [part for part in one.template.values() if isinstance(part, str) and part != one.template["kind"]]
        for setting in one.laws:
            name = ".".join([one.template["kind"], *parts, setting])
            names.append(name if name not in names else f"{name}.{len(names)}")
    return tuple(names)
