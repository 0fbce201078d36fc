"""What the simulated territory measures: ObservedProperties with their definitions and UCUM units, in one table."""

from __future__ import annotations

from dataclasses import dataclass

MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"
COUNT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_CountObservation"
ANY = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Observation"
CF = "http://vocab.nerc.ac.uk/standard_name/"
OWN = "urn:lakou:observed-property:"


@dataclass(frozen=True, slots=True)
class Property:
    """An ObservedProperty and its unit (name, symbol, UCUM code; None: the result is no quantity)."""

    key: str
    name: str
    description: str
    unit_name: str | None
    unit_symbol: str | None
    ucum: str | None
    definition: str
    observation_type: str = MEASUREMENT

    @property
    def unit(self) -> dict[str, str | None]:
        """The `unitOfMeasurement` of a Datastream of this property (18-088 table 9; null members when none)."""
        definition = f"http://unitsofmeasure.org/ucum.html#{self.ucum}" if self.ucum else None
        return {"name": self.unit_name, "symbol": self.unit_symbol, "definition": definition}


_MICROGRAMS = ("microgramme par mètre cube", "µg/m³", "ug/m3")

PROPERTIES: dict[str, Property] = {
    found.key: found
    for found in (
        Property("niveau", "Niveau d'eau", "Hauteur d'eau au-dessus du zéro de l'échelle", "mètre", "m", "m",
                 OWN + "river-stage"),
        Property("debit", "Débit", "Débit à la station, par la courbe de tarage", "mètre cube par seconde", "m³/s",
                 "m3/s", CF + "water_volume_transport_in_river_channel/"),
        Property("mer", "Niveau de la mer", "Hauteur de la mer par rapport à son niveau moyen", "mètre", "m", "m",
                 CF + "sea_surface_height_above_mean_sea_level/"),
        Property("intensite-pluie", "Intensité de pluie", "Pluie de l'instant", "millimètre par heure", "mm/h", "mm/h",
                 CF + "rainfall_rate/"),
        Property("pluie-1h", "Pluie en 1 h", "Pluie tombée dans l'heure écoulée", "millimètre", "mm", "mm",
                 CF + "thickness_of_rainfall_amount/"),
        Property("pga", "Accélération maximale du sol", "Maximum sur la période de mesure",
                 "centimètre par seconde au carré", "cm/s²", "cm/s2", OWN + "peak-ground-acceleration"),
        Property("intensite-sismique", "Intensité sismique estimée",
                 "Intensité MSK tirée de l'accélération (loi de Gutenberg-Richter)", "degré d'intensité", "1", "1",
                 OWN + "seismic-intensity"),
        Property("vitesse-versant", "Vitesse de mouvement", "Mouvement du versant", "millimètre par jour", "mm/j",
                 "mm/d", OWN + "slope-velocity"),
        Property("inclinaison", "Inclinaison", "Inclinaison du tube", "milliradian", "mrad", "mrad", OWN + "tilt"),
        Property("humidite-sol", "Humidité du sol", "Teneur en eau en volume", "pour cent", "%", "%",
                 CF + "volume_fraction_of_condensed_water_in_soil/"),
        Property("pm25", "Particules PM2,5", "Particules de moins de 2,5 µm", *_MICROGRAMS,
                 CF + "mass_concentration_of_pm2p5_ambient_aerosol_particles_in_air/"),
        Property("pm10", "Particules PM10", "Particules de moins de 10 µm", *_MICROGRAMS,
                 CF + "mass_concentration_of_pm10_ambient_aerosol_particles_in_air/"),
        Property("no2", "Dioxyde d'azote", "NO₂ dans l'air", *_MICROGRAMS,
                 CF + "mass_concentration_of_nitrogen_dioxide_in_air/"),
        Property("o3", "Ozone", "O₃ dans l'air", *_MICROGRAMS, CF + "mass_concentration_of_ozone_in_air/"),
        Property("vent", "Vent moyen", "Moyenne sur dix minutes, à 10 m", "mètre par seconde", "m/s", "m/s",
                 CF + "wind_speed/"),
        Property("rafale", "Rafale", "Plus forte rafale de dix minutes", "mètre par seconde", "m/s", "m/s",
                 CF + "wind_speed_of_gust/"),
        Property("pression", "Pression", "Pression au niveau de la mer", "hectopascal", "hPa", "hPa",
                 CF + "air_pressure_at_mean_sea_level/"),
        Property("temperature", "Température de l'air", "Sous abri", "degré Celsius", "°C", "Cel",
                 CF + "air_temperature/"),
        Property("humidite-air", "Humidité de l'air", "Humidité relative", "pour cent", "%", "%",
                 CF + "relative_humidity/"),
        Property("puissance", "Puissance électrique", "Puissance active", "watt", "W", "W", OWN + "active-power"),
        Property("lampes", "Lampes allumées", "Nombre de lampes allumées", "lampe", "lampes", "1", OWN + "lamps-lit",
                 COUNT),
        Property("index-eau", "Index d'eau", "Volume compté depuis la pose", "mètre cube", "m³", "m3",
                 OWN + "water-meter-index"),
        Property("debit-eau", "Débit d'eau", "Moyenne sur la période de mesure", "litre par heure", "l/h", "L/h",
                 OWN + "water-flow"),
        Property("index-energie", "Index d'énergie", "Énergie active comptée depuis la pose", "kilowattheure", "kWh",
                 "kW.h", OWN + "energy-meter-index"),
        Property("remplissage", "Remplissage", "Part du volume du bac", "pour cent", "%", "%", OWN + "fill-level"),
        Property("vitesse", "Vitesse", "Vitesse du véhicule", "kilomètre par heure", "km/h", "km/h",
                 CF + "platform_speed_wrt_ground/"),
        Property("position", "Position", "Position du véhicule (WGS 84)", None, None, None, OWN + "position", ANY),
        Property("message-exercice", "Message d'exercice", "Message de l'animation d'un exercice", None, None, None,
                 OWN + "exercise-inject", ANY),
    )
}  # fmt: skip
