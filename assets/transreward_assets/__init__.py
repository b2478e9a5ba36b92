"""Packaged data of the suite: model files, policies and reference returns, as they are added."""
