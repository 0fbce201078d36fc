"""Loads Django once for every test process, with a data folder of its own (tests/civic.py)."""

pytest_plugins = ["tests.civic"]
