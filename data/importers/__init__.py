"""Files of a place into the database: read, checked, reported, and written only on request."""
