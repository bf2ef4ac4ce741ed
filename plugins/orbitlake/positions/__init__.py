"""The live position feed: collected as raw records, streamed into live tables, compacted into closed days."""
