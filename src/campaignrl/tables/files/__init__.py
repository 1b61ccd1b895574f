"""Tables as files: formats, whole-or-nothing writing, columns with the rows that do not fit.

columns.py      One Arrow column -> one array of the wanted kind, with the rows that do not fit
containers.py   Files within files and beside each other: zip archives, folders of daily files, names with * in them
csv_text.py     CSV as exact text: nothing is guessed that could damage an id, and nothing is run by a spreadsheet
encodings.py    How the bytes of a text file stand for letters, and what to say where they do not
expressions.py  Arithmetic on columns, as a mapping writes it: `spend - 0.4 * conversion`
formats.py      What a file is: its format by name, by its first bytes and its last, and one line of complaint where
                they differ
locks.py        A lock that one process holds at a time: what is read and written again is not changed in between
whole_files.py  Files: written whole or not at all, alone or with those they belong to; read whole or refused
workbooks.py    Excel workbooks as CSV: one sheet, each cell as text that says the same
yes_no.py       Words for yes and no in a cell, in English and Chinese, and the further words of a consent
"""

from campaignrl.tables.files.columns import Converted as Converted
from campaignrl.tables.files.columns import category_codes as category_codes
from campaignrl.tables.files.columns import days as days
from campaignrl.tables.files.columns import numbers as numbers
from campaignrl.tables.files.columns import row_problems as row_problems
from campaignrl.tables.files.columns import truths as truths
from campaignrl.tables.files.columns import whole_numbers as whole_numbers
from campaignrl.tables.files.containers import Found as Found
from campaignrl.tables.files.containers import files_under as files_under
from campaignrl.tables.files.csv_text import MISSING as MISSING
from campaignrl.tables.files.csv_text import csv_bytes as csv_bytes
from campaignrl.tables.files.csv_text import found_separator as found_separator
from campaignrl.tables.files.csv_text import needs_quotes as needs_quotes
from campaignrl.tables.files.encodings import found_encoding as found_encoding
from campaignrl.tables.files.expressions import Expression as Expression
from campaignrl.tables.files.expressions import compile_expression as compile_expression
from campaignrl.tables.files.formats import FOREIGN as FOREIGN
from campaignrl.tables.files.formats import MAGIC as MAGIC
from campaignrl.tables.files.formats import SUFFIXES as SUFFIXES
from campaignrl.tables.files.formats import is_parquet as is_parquet
from campaignrl.tables.files.formats import reading as reading
from campaignrl.tables.files.formats import refuse_foreign as refuse_foreign
from campaignrl.tables.files.locks import alone as alone
from campaignrl.tables.files.whole_files import ROW_GROUP as ROW_GROUP
from campaignrl.tables.files.whole_files import Writer as Writer
from campaignrl.tables.files.whole_files import as_text as as_text
from campaignrl.tables.files.whole_files import column_names as column_names
from campaignrl.tables.files.whole_files import flush_folder as flush_folder
from campaignrl.tables.files.whole_files import frame_writer as frame_writer
from campaignrl.tables.files.whole_files import parquet_file as parquet_file
from campaignrl.tables.files.whole_files import parquet_note as parquet_note
from campaignrl.tables.files.whole_files import parquet_writer as parquet_writer
from campaignrl.tables.files.whole_files import read_frame as read_frame
from campaignrl.tables.files.whole_files import read_table as read_table
from campaignrl.tables.files.whole_files import regrouped as regrouped
from campaignrl.tables.files.whole_files import require_apart as require_apart
from campaignrl.tables.files.whole_files import require_columns as require_columns
from campaignrl.tables.files.whole_files import write_frame as write_frame
from campaignrl.tables.files.whole_files import write_parquet as write_parquet
from campaignrl.tables.files.whole_files import write_parquet_parts as write_parquet_parts
from campaignrl.tables.files.whole_files import write_together as write_together
from campaignrl.tables.files.whole_files import write_whole as write_whole
from campaignrl.tables.files.workbooks import WORKBOOKS as WORKBOOKS
from campaignrl.tables.files.workbooks import filled_sheets as filled_sheets
from campaignrl.tables.files.workbooks import workbook_as_csv as workbook_as_csv
from campaignrl.tables.files.yes_no import AGREED as AGREED
from campaignrl.tables.files.yes_no import NO as NO
from campaignrl.tables.files.yes_no import REFUSED as REFUSED
from campaignrl.tables.files.yes_no import YES as YES
