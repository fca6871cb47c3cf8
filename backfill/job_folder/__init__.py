"""The job folder: every file in it, and the lock that lets one run at a time work on it.

files      what each file is, who writes it, and whether it contains personal data
kept_rows  the source rows as they were read
lock       creates and locks the folder
replacing  replaces a file as a whole
"""
