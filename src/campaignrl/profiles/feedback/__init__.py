"""What customers write: words, a mood learned from the shop's own scores, and both as attributes.

mood.py   How content a text sounds, learned from texts that came with a score; told how well it does on unseen ones
texts.py  Texts of customers with their scores, from a table of any shop
words.py  Text -> words: Latin words, and Chinese cut by jieba where it is installed, else pairs of signs
"""

from campaignrl.profiles.feedback.mood import Feedback as Feedback
from campaignrl.profiles.feedback.mood import read_mood as read_mood
from campaignrl.profiles.feedback.texts import texts_of as texts_of
from campaignrl.profiles.feedback.words import words_of as words_of
