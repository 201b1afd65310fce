"""The project measured beside its peers on generated scans: one process a contender, medians of warm runs."""
