"""Folds, measures of a case, intervals and comparisons: what turns predictions into evidence."""
