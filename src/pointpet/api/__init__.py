"""The Python interface. All of it is reached by `import pointpet as pp`; nothing here is imported before it is used."""
