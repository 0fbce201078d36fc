"""Laws of a territory, pure and small: each gives a value for any instant, place and seed, and keeps no state.

One module, one law, with its source. Constants that a service has to calibrate say so.
"""
