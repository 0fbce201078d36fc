"""Backups and their restoration: both databases at one instant, checked against a manifest (trust R15)."""
