"""What every layer shares: errors, time, JSON, geometry, the event bus. Imports nothing above."""
