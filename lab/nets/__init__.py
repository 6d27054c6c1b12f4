"""Plain torch networks, one file per architecture; the folder behind `--model.net`."""
