"""What leaves the installation as a file: asked for, approved, marked, counted."""
