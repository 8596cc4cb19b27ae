"""The foundation: coordinates, geometry, database; knows nothing of grids."""
