"""A first reading of exports that nobody has described.

dates.py       How an export writes its dates, where intake must be told: which of 05/01/2024 is the day
first_rows.py  The first rows of an export as intake would read it, every cell as text
guesses.py     A first reading of exports nobody has described: which file is what, which column means what, and how
               sure that is
headers.py     What people call the columns of their exports, in English and Chinese, and which words name a channel
"""

from campaignrl.loop.first_reading.guesses import Guess as Guess
from campaignrl.loop.first_reading.guesses import Reading as Reading
from campaignrl.loop.first_reading.guesses import read_exports as read_exports
