"""The job folder: every file in it, and the lock that lets one run at a time work on it.

files   what each file is, who writes it, and whether it contains personal data
lock    the folder is created and locked
"""
