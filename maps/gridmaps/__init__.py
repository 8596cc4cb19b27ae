"""Grid maps: counts and rates by grid, with their doubt, in classes, with what is not shown."""
