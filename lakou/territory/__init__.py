"""The territory: its profile today; zones, layers and the register of places later."""
