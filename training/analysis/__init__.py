"""What a trained encoder makes of a data set: statistics, prior, directions, classifiers."""
