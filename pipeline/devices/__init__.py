"""The list of devices: what is registered now, shown to people and programs, or made ready for another upload."""
