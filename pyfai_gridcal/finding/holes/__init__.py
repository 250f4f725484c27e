"""What a hole looks like: windows around candidates, their light and noise, the picture of a hole and how it is fitted.

The stages of the search, one floor up, say when each is asked.
"""
