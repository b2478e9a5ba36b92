"""World models of the linear system, fitted once."""

import pytest

from tests.wrappers.world_models.systems import SETTINGS, linear_store
from transreward_wrappers.world_models import MODELS, make_world_model
from transreward_wrappers.world_models.model import AnyModel


def fitted(kind: str) -> AnyModel:
    """Return a model that was fitted to the linear system."""
    model = make_world_model(kind, 3, 2, domain={"name": "linear"}, **SETTINGS[kind])
    model.fit(linear_store())
    return model


@pytest.fixture(scope="package")
def models() -> dict[str, AnyModel]:
    """Return a fitted model of each kind."""
    return {kind: fitted(kind) for kind in MODELS}


@pytest.fixture(params=MODELS)
def model(models: dict[str, AnyModel], request: pytest.FixtureRequest) -> AnyModel:
    """Return a fitted model."""
    return models[request.param]


@pytest.fixture(scope="package")
def ensemble(models: dict[str, AnyModel]) -> AnyModel:
    """Return the fitted ensemble."""
    return models["ensemble"]


@pytest.fixture(scope="package")
def rssm(models: dict[str, AnyModel]) -> AnyModel:
    """Return the fitted recurrent model."""
    return models["rssm"]
