"""The course lab: data modules, nets and models that plug into one training script."""
