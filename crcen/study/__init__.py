"""The experiment behind the book: load, split, fit, record, tables; the command line."""
