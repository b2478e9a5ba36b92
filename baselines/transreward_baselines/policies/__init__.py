"""Trains the policies that are shipped, and measures the reference returns."""
