"""Rows of the territory: layers with their zones, and the one register of places.

A geometry is kept as given (GeoJSON, WGS 84) beside its bounds in columns; a point is its two columns. `population` and
`capacity` are null when unknown, never 0. A place without position has null coordinates ("position inconnue").
"""

from __future__ import annotations

from django.db import models


class Layer(models.Model):
    """One imported file of zones, with where it comes from. `sha256` is of the file, `options` of the import."""

    key = models.SlugField(max_length=80, primary_key=True)
    title = models.CharField(max_length=200)
    kind = models.CharField(max_length=24)
    hazard = models.CharField(max_length=24, blank=True, default="")
    source = models.CharField(max_length=300)
    licence = models.CharField(max_length=200)
    retrieved = models.DateTimeField()
    sha256 = models.CharField(max_length=64)
    options = models.JSONField(default=dict)
    feature_count = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ("key",)

    def __str__(self) -> str:
        return self.key


class Zone(models.Model):
    """One feature of a layer. Bounds are degrees: west, south, east, north."""

    layer = models.ForeignKey(Layer, on_delete=models.CASCADE, related_name="zones")
    key = models.CharField(max_length=200)
    name = models.CharField(max_length=300, blank=True, default="")
    kind = models.CharField(max_length=24)
    hazard = models.CharField(max_length=24, blank=True, default="")
    level = models.CharField(max_length=80, blank=True, default="")
    population = models.PositiveIntegerField(null=True)
    geometry = models.JSONField()
    west = models.FloatField()
    south = models.FloatField()
    east = models.FloatField()
    north = models.FloatField()
    properties = models.JSONField(default=dict)

    class Meta:
        ordering = ("id",)
        constraints = (models.UniqueConstraint(fields=("layer", "key"), name="zone_key_in_layer"),)
        indexes = (models.Index(fields=("west", "east"), name="zone_west_east"),)

    def __str__(self) -> str:
        return f"{self.layer_id} {self.key}"


class Place(models.Model):
    """A place that matters. `source` and `source_id` say which row of which file it is; `raw` is that row as given."""

    kind = models.CharField(max_length=24)
    name = models.CharField(max_length=300)
    source = models.CharField(max_length=80)
    source_id = models.CharField(max_length=200)
    longitude = models.FloatField(null=True)
    latitude = models.FloatField(null=True)
    commune = models.CharField(max_length=5, blank=True, default="")
    address = models.TextField(blank=True, default="")
    capacity = models.PositiveIntegerField(null=True)
    contacts = models.JSONField(default=dict)
    opening_hours = models.TextField(blank=True, default="")
    description = models.TextField(blank=True, default="")
    properties = models.JSONField(default=dict)
    raw = models.JSONField(default=dict)
    updated = models.DateTimeField()

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("source", "source_id"), name="place_of_a_source"),
            models.CheckConstraint(
                condition=models.Q(longitude__isnull=True, latitude__isnull=True)
                | models.Q(longitude__gte=-180, longitude__lte=180, latitude__gte=-90, latitude__lte=90),
                name="place_has_both_coordinates_or_none",
            ),
        )
        indexes = (
            models.Index(fields=("kind", "id"), name="place_kind"),
            models.Index(fields=("commune", "id"), name="place_commune"),
            models.Index(fields=("latitude", "longitude"), name="place_position"),
        )

    def __str__(self) -> str:
        return self.name
