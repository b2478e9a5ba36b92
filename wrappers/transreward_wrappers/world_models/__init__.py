"""World models: what a domain's observations would be if actions were taken, learnt from episodes."""

from transreward_wrappers.world_models.collecting import collect
from transreward_wrappers.world_models.ensemble import Ensemble, EnsembleSettings
from transreward_wrappers.world_models.episodes import EpisodeStore
from transreward_wrappers.world_models.errors import HorizonWarning, PoorModelWarning, StaleModelError
from transreward_wrappers.world_models.files import domain_of
from transreward_wrappers.world_models.lstm_prior import LSTMPrior, LSTMPriorSettings
from transreward_wrappers.world_models.making import MODELS, PRIORS, load_world_model, make_prior, make_world_model
from transreward_wrappers.world_models.planning import Plan, PlanSettings, Score
from transreward_wrappers.world_models.priors import IdentityPrior, InitialStatePrior, StateGuess
from transreward_wrappers.world_models.protocol import Imagines, WorldModel
from transreward_wrappers.world_models.report import STEPS, USABLE, ModelReport
from transreward_wrappers.world_models.rssm import RSSM
from transreward_wrappers.world_models.rssm_settings import RSSMSettings
from transreward_wrappers.world_models.search import plan

__all__ = [
    "MODELS",
    "PRIORS",
    "RSSM",
    "STEPS",
    "USABLE",
    "Ensemble",
    "EnsembleSettings",
    "EpisodeStore",
    "HorizonWarning",
    "IdentityPrior",
    "Imagines",
    "InitialStatePrior",
    "LSTMPrior",
    "LSTMPriorSettings",
    "ModelReport",
    "Plan",
    "PlanSettings",
    "PoorModelWarning",
    "RSSMSettings",
    "Score",
    "StaleModelError",
    "StateGuess",
    "WorldModel",
    "collect",
    "domain_of",
    "load_world_model",
    "make_prior",
    "make_world_model",
    "plan",
]
