"""A territory that lives: simulated sensors, sent through the public API like any real device.

Pure models (`rain`, `river`, `tide`, `sun`, `lighting`, `air`, `ground`, `bus`) give a value for any instant;
`network` names the Things; `client` speaks SensorThings over HTTP; `demo` joins them. Imports only `lakou.kernel`.
"""
