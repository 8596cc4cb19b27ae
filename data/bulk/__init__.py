"""Files of points of any size: read in pieces, located, written, on one machine or many."""
