"""Offline datasets in Minari's format: what they hold, how they are written and read."""

from transreward_wrappers.datasets.dataset import Dataset, DatasetError, load_dataset
from transreward_wrappers.datasets.episode import Episode
from transreward_wrappers.datasets.location import dataset_id, datasets_root, folder_of
from transreward_wrappers.datasets.writer import DatasetWriter

__all__ = [
    "Dataset",
    "DatasetError",
    "DatasetWriter",
    "Episode",
    "dataset_id",
    "datasets_root",
    "folder_of",
    "load_dataset",
]
