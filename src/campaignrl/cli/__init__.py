"""The command line: one thin command a verb. Data on stdout, talk and progress bars on stderr.

main.py     the app, its exit codes, and what happens to errors
console.py  tables, progress bars and JSON, the same for every verb
others      one file a verb, which reads arguments, calls the library, and prints
"""
