"""What a training run needs around its model: names, folder, errors, tracking, figures."""
