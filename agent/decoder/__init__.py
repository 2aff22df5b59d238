"""The process in which native decoders run, and what both of its ends share. See DESIGN.md.

Nothing heavy is imported here: each megabyte counts twice, once in the agent and once in the decoder process.
"""
