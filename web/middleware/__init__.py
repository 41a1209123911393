"""The ASGI layers around every route."""
