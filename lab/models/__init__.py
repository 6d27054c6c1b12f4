"""LightningModules, one file per problem type; the folder behind `--model`."""
