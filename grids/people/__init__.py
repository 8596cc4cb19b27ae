"""The people who answer for grids, buildings and routes, and when they are away."""
