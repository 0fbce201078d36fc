"""Syntax tree + model + limits + rights → a plan: what is read or written, with every name resolved.

`values` holds the plan's own tree; `expression` types filters; `read` and `write` make the plans.
"""
