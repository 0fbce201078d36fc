"""Sources of data: one file, one source.

source → `fetch` (I/O, through `guard`) → `read` (pure, gives a `Reading`) → `deliver` → the SensorThings service.
Polling sources are run by `scheduler`; sources that push come in through `views`.
"""
