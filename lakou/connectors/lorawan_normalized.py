"""The vocabulary of The Things Stack's `normalized_payload`: each path with its name and unit.

Source: the payload schema of the LoRaWAN device repository, which fixes the unit of every path.
"""

from __future__ import annotations

from typing import Final

from lakou.connectors.reading import Unit

UCUM = "http://www.opengis.net/def/uom/UCUM/"
SCHEMA: Final = "https://schema.thethings.network/devicerepository/1/payload/schema"

_CELSIUS = Unit("degree Celsius", "°C", UCUM + "Cel")
_PERCENT = Unit("percent", "%", UCUM + "%25")
_PPM = Unit("parts per million", "ppm", UCUM + "%5Bppm%5D")
_LUX = Unit("lux", "lx", UCUM + "lx")

NORMALIZED: Final[dict[str, tuple[str, Unit]]] = {
    "air.temperature": ("Température de l'air", _CELSIUS),
    "air.relativeHumidity": ("Humidité relative de l'air", _PERCENT),
    "air.pressure": ("Pression atmosphérique", Unit("hectopascal", "hPa", UCUM + "hPa")),
    "air.co2": ("Dioxyde de carbone dans l'air", _PPM),
    "air.lightIntensity": ("Éclairement", _LUX),
    "wind.speed": ("Vitesse du vent", Unit("metre per second", "m/s", UCUM + "m/s")),
    "wind.direction": ("Direction du vent", Unit("degree", "°", UCUM + "deg")),
    "soil.depth": ("Profondeur de la mesure dans le sol", Unit("centimetre", "cm", UCUM + "cm")),
    "soil.moisture": ("Humidité du sol", _PERCENT),
    "soil.temperature": ("Température du sol", _CELSIUS),
    "soil.ec": ("Conductivité électrique du sol", Unit("decisiemens per metre", "dS/m", UCUM + "dS/m")),
    "soil.pH": ("pH du sol", Unit("pH", "pH", UCUM + "%5BpH%5D")),
    "soil.n": ("Azote dans le sol", _PPM),
    "soil.p": ("Phosphore dans le sol", _PPM),
    "soil.k": ("Potassium dans le sol", _PPM),
}
