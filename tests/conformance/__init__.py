"""Black-box conformance tests of the SensorThings service: one module per requirement class of OGC 18-088."""
