"""World models and priors by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transreward_envs.errors import unknown
from transreward_wrappers.errors import CorruptFileError
from transreward_wrappers.world_models.ensemble import Ensemble, EnsembleSettings
from transreward_wrappers.world_models.files import read_model
from transreward_wrappers.world_models.lstm_prior import LSTMPrior, LSTMPriorSettings
from transreward_wrappers.world_models.model import AnyModel
from transreward_wrappers.world_models.priors import IdentityPrior
from transreward_wrappers.world_models.rssm import RSSM
from transreward_wrappers.world_models.rssm_settings import RSSMSettings

MODELS = ("ensemble", "rssm")
PRIORS = ("identity", "lstm")


def make_world_model(
    kind: str,
    observation_size: int,
    action_size: int,
    *,
    domain: Mapping[str, Any] | None = None,
    **settings: Any,
) -> AnyModel:
    """Return a world model that is yet to be fitted.

    Args:
        kind: ``ensemble``, for observations that are the state, or ``rssm``, for those that hide or blur it.
        observation_size: Length of an observation.
        action_size: Length of an action.
        domain: Whose model it is, as JSON types, such as :func:`domain_of` gives; a file of another's is refused.
        settings: Fields of :class:`EnsembleSettings` or :class:`RSSMSettings`.

    Raises:
        ValueError: The kind or a setting is unknown, or a setting breaks its rule.
    """
    if kind not in MODELS:
        raise ValueError(unknown("world model", kind, MODELS))
    if kind == "rssm":
        of_rssm = _known(RSSMSettings, settings)
        return RSSM(observation_size, action_size, settings=RSSMSettings(**of_rssm), domain=domain)
    of_ensemble = _known(EnsembleSettings, settings)
    return Ensemble(observation_size, action_size, settings=EnsembleSettings(**of_ensemble), domain=domain)


def load_world_model(path: Path | str, *, domain: Mapping[str, Any] | None = None) -> AnyModel:
    """Return the world model in a file.

    Args:
        path: The file.
        domain: Whose model it must be; that of the file when left out.

    Raises:
        FileNotFoundError: There is no such file.
        CorruptFileError: It is damaged, or none of a world model.
        StaleModelError: It is another domain's.
    """
    _, told = read_model(path)
    identity = told["identity"]
    try:
        sizes = (identity["observation_size"], identity["action_size"])
        whose = identity["domain"] if domain is None else domain
        model = make_world_model(identity["kind"], *sizes, domain=whose, **identity["settings"])
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptFileError(f"{path} says that it is a world model, but lacks what one has: {error}") from error
    model.load(path)
    return model


def make_prior(kind: str, model: AnyModel, **settings: Any) -> IdentityPrior | LSTMPrior:
    """Return an initial-state prior; one that learns is yet to be fitted.

    Args:
        kind: ``identity``, where the state is the observation, or ``lstm``, of an ``rssm``.
        model: Whose states it gives.
        settings: ``scale`` of the first, fields of :class:`LSTMPriorSettings` of the other.

    Raises:
        ValueError: The kind or a setting is unknown, or the model is of another kind.
    """
    if kind not in PRIORS:
        raise ValueError(unknown("initial-state prior", kind, PRIORS))
    if kind == "lstm":
        return LSTMPrior(model, settings=LSTMPriorSettings(**_known(LSTMPriorSettings, settings)))
    if others := set(settings) - {"scale"}:
        raise ValueError(unknown("setting of the prior 'identity'", min(others), ["scale"]))
    return IdentityPrior(model, **settings)


def _known(cls: type[Any], settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return settings, all of which a class has."""
    names = [field.name for field in dataclasses.fields(cls)]
    for name in settings:
        if name not in names:
            raise ValueError(unknown(f"setting of {cls.__name__.removesuffix('Settings')}", name, names))
    return settings
