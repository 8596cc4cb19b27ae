"""Administrative units, their codes and names, and the editions of grids drawn on them."""
