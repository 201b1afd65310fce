"""The two pages: one click per patient, and the viewer of results. Local only; parse, call the pipeline, draw."""
