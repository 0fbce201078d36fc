"""Every write of the territory: places in, layers in and out. Each is one transaction and tells what it did; what it
changed stands in the journal."""

from lakou.territory.actions.layers import LayerSource, import_layer, remove_layer
from lakou.territory.actions.places import import_places, remove_places

__all__ = ["LayerSource", "import_layer", "import_places", "remove_layer", "remove_places"]
