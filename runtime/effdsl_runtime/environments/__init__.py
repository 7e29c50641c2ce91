"""Pythons of their own, for engines whose libraries exclude those of effdsl's."""
