"""Loops that are compiled for the CPU."""
