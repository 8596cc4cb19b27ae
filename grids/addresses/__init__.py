"""Addresses as people write them: taken apart, found on the ground, and told of a point."""
