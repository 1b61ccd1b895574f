"""Tables as files: formats, whole-or-nothing writing, columns with the rows that do not fit.

columns.py      One Arrow column -> one array of the wanted kind, with the rows that do not fit
csv_text.py     CSV as exact text: nothing is guessed that could damage an id, and nothing is run by a spreadsheet
expressions.py  Arithmetic on columns, as a mapping writes it: `spend - 0.4 * conversion`
formats.py      What a file is: its format by name, by its first bytes and its last, and one line of complaint where
                they differ
whole_files.py  Files: written whole or not at all, read whole or refused
"""
