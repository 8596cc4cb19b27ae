"""Cameras: where they stand, where they look, how far. Never video."""
