"""Rows → bytes: JSON entities, data arrays, GeoJSON, CSV. Never fails on what the store gives.

`entities` turns rows into JSON values; the other modules are forms of it.
"""
