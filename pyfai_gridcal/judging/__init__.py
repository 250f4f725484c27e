"""Is it to be trusted?"""
