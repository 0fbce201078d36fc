"""MQTT 3.1.1 and 5 in process: Observations come in by PUBLISH, commits go out to subscribers (18-088 §14).

`packets` (bytes ↔ values) · `topics` (text → plan) · `subscriptions` (who hears what) · `notify` (commit → messages)
· `publishing` (PUBLISH → commit → acknowledgement) · `client` (one connection) · `endpoint` (all of them).
"""
