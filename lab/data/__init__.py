"""LightningDataModules, one file per source; the folder behind `--data`."""
