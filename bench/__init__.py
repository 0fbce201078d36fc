"""`make bench`: measures the promises of the design on the machine it runs on, as ratios within one run."""
