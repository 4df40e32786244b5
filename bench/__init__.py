"""Measured figures against their targets. Each module prints JSON lines and ends with status 1 when one is missed."""
