"""Incidents: taken in, geocoded to the grid and the worker who answer, followed to their end."""
