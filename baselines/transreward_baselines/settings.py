"""Settings as words of a command line."""

from __future__ import annotations

import json
import re
from typing import Any


def parse_settings(words: tuple[str, ...]) -> dict[str, Any]:
    """Return the settings meant by words such as ``eta=0.1``.

    Raises:
        ValueError: A word is not of this form.
    """
    settings: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise ValueError(f"A setting has the form name=value, such as eta=0.1; got {word!r}.")
        try:
            settings[name] = json.loads(value)
        except json.JSONDecodeError:
            settings[name] = value
    return settings


def parse_listing(text: str) -> dict[str, Any]:
    """Return the settings meant by a list of such words, as in ``eta=0.1,clip=5``.

    Raises:
        ValueError: A part of it is not of this form.
    """
    return parse_settings(tuple(re.split(r",(?=\w+=)", text))) if text else {}
