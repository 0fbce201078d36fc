"""Lakou: an open platform that observes, warns, shares, assesses and lets people take part."""

__version__ = "0.1.0"
