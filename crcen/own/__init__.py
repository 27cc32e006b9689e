"""A report on a table of your own: `table`, `columns`, `models`, `findings`, `figure`, `page`.

Data flows that way: a file becomes a `Table`, its columns are understood, models are fitted and
asked about rows that were held out, and what they say becomes sentences, a figure and a page.
"""
