"""Hostile input, process kills and power cuts. Commands with long runs, and short versions for `make test`."""
