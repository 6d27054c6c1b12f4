"""Figures as callbacks, one file per subject; they work with any logger or none."""
