"""Drives the matrix of `lakou.server.endpoints` through the running product; docs/reference/matrix.md tells how.

`site.py`: who there is and what they meet · `asking.py`: what is sent for a row · `callers.py`: the same by everybody
over HTTP · `mqtt.py`: over MQTT, and who hears of what · `traces.py`: what was refused has left nothing · `driving.py`:
all of it.
"""
