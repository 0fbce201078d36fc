"""The national standard of digital-mediation places: read, check, map from other columns, write back."""
