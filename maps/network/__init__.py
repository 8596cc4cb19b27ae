"""Density of incidents along streets."""
