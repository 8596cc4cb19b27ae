"""Grids, the people who answer for them, and what lies and happens on them."""
