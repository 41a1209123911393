"""Composition: reads the settings, makes the long-lived parts, and puts them together into an application."""
