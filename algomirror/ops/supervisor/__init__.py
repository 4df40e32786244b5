"""Keeps the processes of one machine alive from one terminal, and leaves none behind."""
