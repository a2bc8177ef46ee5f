"""Open311 GeoReport v2: the ecosystem's standard for civic requests, as another door to the same cases."""
