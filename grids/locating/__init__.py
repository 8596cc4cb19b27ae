"""Answers from memory: compiled grids and the roster of all time, and how they are kept current."""
