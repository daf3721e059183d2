"""Preparing data from media: what lies in files of any form becomes a folder of columns that every command reads."""
