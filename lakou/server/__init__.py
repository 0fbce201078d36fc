"""The shell around everything: configuration, Django's settings, the ASGI dispatcher, processes, the command line."""
