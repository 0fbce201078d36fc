"""OBSERVE: OGC SensorThings API 1.1 (OGC 18-088) as a pipeline of plain values.

bytes → `grammar`, `payload` → `plan` → `sql` → `store` → `render` → bytes; `http` composes.
"""
