"""What each kind of flow shows at an instant: a law of `models`, the sensor's own noise, and its rounding.

Every function takes its fixed arguments first, then the world and the instant (Unix seconds).
"""

from __future__ import annotations

from lakou.simulator.models import air as air_model
from lakou.simulator.models import bins, lighting, meters, quake, soil, tide, weather
from lakou.simulator.models.bus import Line
from lakou.simulator.models.noise import gauss
from lakou.simulator.models.rain import tipped_mm
from lakou.simulator.models.wave import Leg
from lakou.simulator.places import Point
from lakou.simulator.world import Site, World

Value = float | int | str | dict[str, object]

PGA_SPAN_S = 30.0
FELT_SPAN_S = 60.0
CM_S2_A_MG = quake.G_CM_S2 / 1000.0


def level(reach: str, key: str, world: World, time_s: float) -> Value:
    """River level, in m."""
    ripple = 0.004 * gauss(world.seed, f"ripple/{key}", int(time_s // 10))
    return round(world.rivers.level_m(reach, time_s) + ripple, 3)


def discharge(reach: str, world: World, time_s: float) -> Value:
    """River discharge, in m³/s."""
    return round(world.rivers.discharge_m3_s(reach, time_s), 2)


def rain_rate(point: Point, world: World, time_s: float) -> Value:
    """Rain rate, in mm/h."""
    return round(world.rain.intensity_mm_h(point, time_s), 1)


def rain_1h(point: Point, world: World, time_s: float) -> Value:
    """Rain of the last hour, in mm."""
    return tipped_mm(world.rain.depth_mm(point, time_s - 3600.0, time_s))


def sea(key: str, point: Point, further: tuple[Leg, ...], world: World, time_s: float) -> Value:
    """Sea level above its mean, in m: tide, waves, surge of a cyclone, and chop."""
    true = tide.height_m(time_s) + sum(wave.height_m(time_s, further) for wave in world.waves)
    true += weather.surge_m(point, time_s, world.cyclones)
    return round(true + 0.006 * gauss(world.seed, f"sea/{key}", int(time_s // 10)), 3)


def pga(key: str, point: Point, world: World, time_s: float) -> Value:
    """Peak ground acceleration of the last 30 s, in cm/s²."""
    peak = quake.pga_cm_s2(world.seed, key, point, time_s - PGA_SPAN_S, time_s, world.quakes)
    return float(f"{peak:.3g}")


def felt(key: str, point: Point, world: World, time_s: float) -> Value:
    """Felt intensity of the last minute (MSK)."""
    peak = quake.pga_cm_s2(world.seed, key, point, time_s - FELT_SPAN_S, time_s, world.quakes)
    return round(quake.intensity(peak / CM_S2_A_MG), 1)


def slope_velocity(key: str, point: Point, world: World, time_s: float) -> Value:
    """Movement of a slope, in mm/day."""
    return round(soil.velocity_mm_day(world.seed, key, world.soils.saturation(point, time_s), time_s), 2)


def tilt(key: str, point: Point, world: World, time_s: float) -> Value:
    """Tilt, in mrad."""
    return round(soil.tilt_mrad(world.seed, key, world.soils.saturation(point, time_s), time_s), 3)


def moisture(key: str, point: Point, world: World, time_s: float) -> Value:
    """Soil moisture, in %."""
    noise = 0.15 * gauss(world.seed, f"moist/{key}", int(time_s // 60))
    return round(soil.moisture_percent(world.soils.saturation(point, time_s)) + noise, 1)


def wind(key: str, point: Point, world: World, time_s: float) -> Value:
    """Mean wind, in m/s."""
    return round(weather.wind_m_s(world.seed, key, point, time_s, world.cyclones), 1)


def gust(key: str, point: Point, world: World, time_s: float) -> Value:
    """Gust, in m/s."""
    return round(weather.gust_m_s(world.seed, key, point, time_s, world.cyclones), 1)


def pressure(key: str, point: Point, world: World, time_s: float) -> Value:
    """Pressure at sea level, in hPa."""
    return round(weather.pressure_hpa(world.seed, key, point, time_s, world.cyclones), 1)


def temperature(key: str, point: Point, world: World, time_s: float) -> Value:
    """Air temperature, in °C."""
    rain = world.rain.intensity_mm_h(point, time_s)
    return round(weather.temperature_c(world.seed, key, rain, time_s), 1)


def humidity(key: str, point: Point, world: World, time_s: float) -> Value:
    """Relative humidity, in %."""
    return round(weather.humidity_percent(world.seed, key, world.rain.intensity_mm_h(point, time_s), time_s))


_AIR = {"pm25": air_model.pm25, "pm10": air_model.pm10, "no2": air_model.no2, "o3": air_model.o3}


def air(observed: str, key: str, roads: float, world: World, time_s: float) -> Value:
    """A pollutant, in µg/m³."""
    return _AIR[observed](world.seed, key, roads, time_s)


def cabinet_power(site: Site, lamps: int, world: World, time_s: float) -> Value:
    """Power of a lighting cabinet, in W."""
    fed = world.is_fed(site, time_s)
    return round(lighting.power_w(world.seed, site.key, lamps, time_s, is_fed=fed), 1)


def cabinet_lamps(site: Site, lamps: int, world: World, time_s: float) -> Value:
    """How many lamps of a cabinet burn."""
    return lighting.lamps_on(world.seed, site.key, lamps, time_s, is_fed=world.is_fed(site, time_s))


def water_index(key: str, mean: float, world: World, time_s: float) -> Value:
    """Index of a water meter, in m³."""
    return round(meters.index(world.seed, key, mean, time_s), 3)


def water_flow(key: str, mean: float, world: World, time_s: float) -> Value:
    """Mean water flow, in l/h."""
    return round(meters.rate(world.seed, key, mean, time_s, 900.0) * 1000.0)


def energy_index(site: Site, mean: float, world: World, time_s: float) -> Value:
    """Index of an energy meter, in kWh: it stands still while the current is cut."""
    return round(meters.index(world.seed, site.key, mean, time_s, world.spans("power", site)), 2)


def energy_power(site: Site, mean: float, world: World, time_s: float) -> Value:
    """Power, in W."""
    if world.fails("power", site, time_s):
        return 0
    return round(meters.rate(world.seed, site.key, mean, time_s, 900.0) * 1000.0)


def bin_fill(key: str, world: World, time_s: float) -> Value:
    """How full a bin is, in %."""
    return round(bins.fill_percent(world.seed, key, time_s))


def bus_speed(line: Line, offset_s: float, world: World, time_s: float) -> Value:
    """Speed of a bus, in km/h."""
    return line.state_at(time_s, offset_s).speed_km_h


def bus_position(line: Line, offset_s: float, world: World, time_s: float) -> Value:
    """Position of a bus, as a point."""
    state = line.state_at(time_s, offset_s)
    return {"type": "Point", "coordinates": [state.longitude_deg, state.latitude_deg]}
