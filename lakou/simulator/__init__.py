"""A territory that lives: simulated sensors, sent through the public API and MQTT like any real device.

Pure laws (`models`) give a value for any instant and place; `network` names the devices; `scenario` reads what happens
to them; `gateway` sends; `director` keeps the clock and what was played; `control` lets others steer it. Imports only
`lakou.kernel`.
"""
