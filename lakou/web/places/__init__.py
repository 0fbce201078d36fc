"""The public pages of places that matter: the list with its map, and one place."""
