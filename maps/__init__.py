"""Maps of what is in wangge: tiles, densities, folium pages, prints."""
