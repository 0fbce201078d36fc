"""Files of zones: GeoJSON and GeoPackage to checked features in WGS 84."""
