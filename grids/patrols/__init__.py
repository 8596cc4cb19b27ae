"""Patrol routes, their checkpoints, the patrols that ran them and their fixes."""
