"""The only place that reads or writes image files, tables and models; import the module you need."""
