"""Tests of Lakou. Run with `make test`."""
